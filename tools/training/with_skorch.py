"""skorch: a classifier for scikit-learn, fitted and searched over."""

import torch
from common import classifier, data, report
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNetClassifier


class Probabilities(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.net = classifier()

    def forward(self, x):
        return torch.softmax(self.net(x), -1)


x, y = (t.numpy() for t in data())
net = NeuralNetClassifier(Probabilities, max_epochs=4, lr=0.1, iterator_train__shuffle=True, verbose=0)
net.fit(x, y)
losses = [row[name] for row in net.history for name in ("train_loss", "valid_loss")]
search = GridSearchCV(net, {"lr": [0.1, 0.01]}, cv=2).fit(x, y)
report(*losses, net.score(x, y), search.best_score_)
