"""What chapters import besides their own code: data, figures and explorers."""
