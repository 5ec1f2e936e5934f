"""An Inception network retrained again and again on handwritten digits, pushed, and cleaned up after."""
