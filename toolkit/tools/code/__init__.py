"""What a program can say of code before any model is asked: the modules of a Python tree, measured."""
