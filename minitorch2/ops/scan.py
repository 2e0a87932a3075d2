class ScanMethods:
    pass
