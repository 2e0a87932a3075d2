class SortingMethods:
    pass
