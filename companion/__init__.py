"""What chapters import besides their own code: figures and explorers."""
