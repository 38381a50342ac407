"""The pages on which people manage models, look at what was used, read conversations and make keys.

Made on the server, whole without JavaScript. Every change goes through the toolkit; nothing is kept here.
"""
