class LinalgMethods:
    pass
