"""What is said to people: sentences in several languages, recorded or spoken by a program.

``library`` is what the others want; ``wording`` is what a site's configuration becomes.
"""
