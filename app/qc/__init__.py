"""Quality control: rules, facts, logic, scores."""
