"""Language models: catalogue, engines and the one client."""
