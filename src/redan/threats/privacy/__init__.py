"""Privacy: what does the model tell about the people in its training data?"""
