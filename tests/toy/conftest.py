"""The overlay's tests belong to the house that `laying.py` lays; here their modules are not at their places."""

collect_ignore = ["overlay"]
