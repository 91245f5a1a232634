"""Goes back: orders a rollback, calls the CD once, and proves that it helped."""
