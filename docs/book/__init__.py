"""Extensions of Sphinx for this book, and the checks of its pages."""
