"""Of one case: is its answer right, is its measurement sound?"""
