"""What the cases stand on: the cloud they drive, the clients they drive it with, and how a case is judged."""
