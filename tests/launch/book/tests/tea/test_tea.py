"""What an erratum of the little book names; it is read, never run."""


def test_tea_cools():
    pass
