class ActivationMethods:
    pass
