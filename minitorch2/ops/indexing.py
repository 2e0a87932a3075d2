class IndexingMethods:
    pass
