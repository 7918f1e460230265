"""Holds that the police or the law sets on a case, and the clearance of the police."""
