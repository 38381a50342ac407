"""What whoever runs the server looks at: its health, its metrics, its log and its traces."""
