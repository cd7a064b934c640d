"""The web workplace: Gradio pages in Chinese, mounted in the service; they reach the program through ``Desk`` only."""
