"""PyTorch Geometric: classifiers of graphs with six kinds of convolution, batches of graphs, and edges left out."""

import torch
from common import report
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GATConv, GCNConv, GINConv, PNAConv, SAGEConv, TransformerConv, global_mean_pool
from torch_geometric.utils import dropout_edge, softmax, to_dense_adj, to_undirected


def graph(nodes, edges=30):
    return Data(x=torch.randn(nodes, 8), edge_index=torch.randint(0, nodes, (2, edges)), y=torch.randint(0, 3, (1,)))


class Classifier(torch.nn.Module):
    def __init__(self, convolution):
        super().__init__()
        self.first, self.second = convolution(8, 16), convolution(16, 16)
        self.last = torch.nn.Linear(16, 3)

    def forward(self, graphs):
        x = self.first(graphs.x, graphs.edge_index).relu()
        x = self.second(x, graphs.edge_index).relu()
        return self.last(global_mean_pool(x, graphs.batch))


def gin(inputs, outputs):
    return GINConv(torch.nn.Sequential(torch.nn.Linear(inputs, outputs), torch.nn.ReLU()))


def gat(inputs, outputs):
    return GATConv(inputs, outputs, heads=2, concat=False, dropout=0.1)


def pna(inputs, outputs):
    return PNAConv(inputs, outputs, ["mean", "max", "std"], ["identity", "amplification"], torch.ones(10).long())


torch.manual_seed(0)
graphs, found = [graph(10 + i) for i in range(8)], []
for convolution in (GCNConv, gat, SAGEConv, gin, pna, TransformerConv):
    torch.manual_seed(1)
    net = Classifier(convolution)
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(2):
        for batch in DataLoader(graphs, batch_size=4, shuffle=True):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(net(batch), batch.y)
            loss.backward()
            optimizer.step()
            found.append(loss)
edges = to_undirected(graphs[0].edge_index)
found += [to_dense_adj(edges).sum(), dropout_edge(edges)[0].sum()]
found.append(softmax(torch.randn(edges.shape[1]), edges[0]).square().sum())
report(*found)
