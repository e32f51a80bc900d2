# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Taller: red neuronal convolucional básica en MNIST con PyTorch
#
# Vamos a implementar y entrenar una red neuronal convolucional (CNN) que reconoce dígitos
# manuscritos, y a ver qué aprende y en qué se equivoca. Todo el taller está en este archivo,
# que se puede usar de tres maneras:
#
# * como programa, desde la raíz del proyecto:
#   `python pytorch/cnn_pytorch.py --epochs 10 --batch-size 64`;
# * como cuaderno, en Jupyter o en Colab (`pytorch/cnn_pytorch.ipynb`), celda a celda;
# * como módulo: al importarlo se obtienen sus funciones y no se entrena nada.
#
# Al terminar quedan el modelo en `modelo/cnn_mnist.pt` y las figuras en `resultados/`.

# %%
import argparse
import os
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

# Del paquete del taller solo se toma la carpeta donde están los dígitos. Donde no está instalado,
# como en Colab, torchvision descarga MNIST por su cuenta.
try:
    from taller_cnn.data import DigitsPlace
except ImportError:
    DigitsPlace = None

# %% [markdown]
# ## Ajustes
#
# Una **época** es una pasada por todos los dígitos de entrenamiento. Los dígitos se reparten en
# **lotes** (*batches*): tras cada lote, el optimizador corrige un poco los pesos. La **tasa de
# aprendizaje** dice cuánto los corrige.

# %%
EPOCHS = 10
BATCH_SIZE = 64
LEARNING_RATE = 1e-3
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")

# Jupyter trabaja en la carpeta del cuaderno, `pytorch`; los datos y los resultados van en la de
# encima. Un proyecto que también se llame `pytorch` no tiene la lección en su raíz.
IN_LESSON_DIR = os.path.basename(os.getcwd()) == "pytorch" and (
    os.path.exists("cnn_pytorch.ipynb") or os.path.exists("cnn_pytorch.py")
)
BASE_DIR = ".." if IN_LESSON_DIR else "."
DATA_DIR = os.environ.get("TALLER_DATA_DIR") or os.path.join(BASE_DIR, "data")
SAMPLE_DIR = os.path.join(BASE_DIR, "data", "sample")
MODEL_DIR = os.path.join(BASE_DIR, "modelo")
RESULTS_DIR = os.path.join(BASE_DIR, "resultados")

# %% [markdown]
# ## Carga y preprocesamiento de datos
#
# MNIST tiene 60.000 dígitos de entrenamiento y 10.000 de prueba, en imágenes grises de 28 × 28
# píxeles.
#
# * El **Dataset** da una imagen y su etiqueta. `ToTensor` pasa los píxeles de 0-255 a 0-1, y
#   `Normalize` les resta su media (0,1307) y los divide por su desviación típica (0,3081): así los
#   números que entran en la red rondan el cero y el entrenamiento es más estable.
# * El **DataLoader** junta los ejemplos en lotes. Los de entrenamiento se barajan en cada época
#   para que la red no aprenda su orden; en los de prueba el orden da igual.


# %%
def digits_root():
    """Carpeta en la que torchvision encuentra los dígitos, o en la que los descarga."""
    if DigitsPlace is None:
        return DATA_DIR
    # Sin MNIST en el disco y sin red, esta función prepara una muestra pequeña de dígitos reales.
    place = DigitsPlace(data_dir=Path(DATA_DIR), sample_dir=Path(SAMPLE_DIR))
    return place.torchvision_root()


def load_data(batch_size=BATCH_SIZE):
    """Los DataLoader de entrenamiento y de prueba."""
    transform = transforms.Compose(
        [
            transforms.ToTensor(),
            transforms.Normalize((0.1307,), (0.3081,)),
        ]
    )
    root = digits_root()
    train_dataset = datasets.MNIST(root=root, train=True, download=True, transform=transform)
    test_dataset = datasets.MNIST(root=root, train=False, download=True, transform=transform)
    train_loader = DataLoader(train_dataset, batch_size=batch_size, shuffle=True)
    test_loader = DataLoader(test_dataset, batch_size=batch_size, shuffle=False)
    return train_loader, test_loader


# %% [markdown]
# ## Arquitectura de la CNN
#
# | Capa | Salida | Parámetros |
# | --- | --- | --- |
# | entrada | 1 × 28 × 28 | |
# | `conv1`: 16 filtros de 3 × 3, ReLU | 16 × 28 × 28 | 16 · (1 · 3 · 3 + 1) = 160 |
# | `pool`: máximo de cada 2 × 2 | 16 × 14 × 14 | 0 |
# | `conv2`: 32 filtros de 3 × 3, ReLU | 32 × 14 × 14 | 32 · (16 · 3 · 3 + 1) = 4.640 |
# | `pool` | 32 × 7 × 7 | 0 |
# | `fc1`: 128 neuronas, ReLU | 128 | 128 · (32 · 7 · 7 + 1) = 200.832 |
# | `dropout`: apaga el 25 % al azar | 128 | 0 |
# | `fc2`: una neurona por dígito | 10 | 10 · (128 + 1) = 1.290 |
#
# En total, 206.922 parámetros. Los filtros de una **convolución** son pequeños y recorren toda la
# imagen, así que reconocen un trazo esté donde esté. El **pooling** se queda con lo más fuerte de
# cada zona y reduce el mapa a la mitad. El **dropout** solo actúa al entrenar y ayuda a evitar el
# sobreajuste. La salida son los *logits*: diez números, tanto mayores cuanto más cree la red en
# cada dígito.


# %%
class SimpleCNN(nn.Module):
    def __init__(self):
        super(SimpleCNN, self).__init__()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=3, padding=1)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=3, padding=1)
        self.fc1 = nn.Linear(32 * 7 * 7, 128)
        self.fc2 = nn.Linear(128, 10)
        self.dropout = nn.Dropout(0.25)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(-1, 32 * 7 * 7)
        x = F.relu(self.fc1(x))
        x = self.dropout(x)
        x = self.fc2(x)
        return x


# %% [markdown]
# ## Entrenamiento y evaluación
#
# Por cada lote, entrenar son cuatro pasos: la red predice (`outputs`), se mide cuánto se equivoca
# (`loss`), se calcula cómo influye cada peso en ese error (`backward`) y el optimizador corrige
# los pesos (`step`). La pérdida y la precisión de entrenamiento son las medias de toda la época,
# mientras la red va cambiando.
#
# Evaluar es lo mismo sin corregir nada: `model.eval()` desconecta el dropout y `torch.no_grad()`
# ahorra el cálculo de los gradientes.


# %%
def train(model, train_loader, optimizer, criterion):
    """Una época de entrenamiento; devuelve la pérdida y la precisión medias."""
    model.train()
    running_loss = 0.0
    correct, total = 0, 0
    for images, labels in train_loader:
        images, labels = images.to(DEVICE), labels.to(DEVICE)
        optimizer.zero_grad()
        outputs = model(images)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item() * images.size(0)
        _, predicted = torch.max(outputs, 1)
        correct += (predicted == labels).sum().item()
        total += labels.size(0)
    return running_loss / total, correct / total


def test(model, test_loader, criterion):
    """La pérdida y la precisión con dígitos que la red no ha visto al entrenar."""
    model.eval()
    running_loss = 0.0
    correct, total = 0, 0
    with torch.no_grad():
        for images, labels in test_loader:
            images, labels = images.to(DEVICE), labels.to(DEVICE)
            outputs = model(images)
            loss = criterion(outputs, labels)
            running_loss += loss.item() * images.size(0)
            _, predicted = torch.max(outputs, 1)
            correct += (predicted == labels).sum().item()
            total += labels.size(0)
    return running_loss / total, correct / total


def predict(model, loader):
    """Las etiquetas verdaderas y las que predice la red, como listas."""
    model.eval()
    y_true, y_pred = [], []
    with torch.no_grad():
        for images, labels in loader:
            outputs = model(images.to(DEVICE))
            _, predicted = torch.max(outputs, 1)
            y_true.extend(labels.tolist())
            y_pred.extend(predicted.tolist())
    return y_true, y_pred


# %% [markdown]
# ## A entrenar
#
# La condición `if __name__ == "__main__":` se cumple al ejecutar el programa o el cuaderno, y no
# cuando otro archivo importa estas funciones.


# %%
def get_args():
    """Las opciones de la línea de órdenes."""
    parser = argparse.ArgumentParser(description="Entrena una CNN básica con MNIST.")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="pasadas por los datos")
    parser.add_argument("--batch-size", type=int, default=BATCH_SIZE, help="dígitos por lote")
    # En un cuaderno, los argumentos son los de Jupyter; ahí valen los ajustes de arriba.
    args = parser.parse_args([] if "ipykernel" in sys.modules else None)
    if args.epochs < 1 or args.batch_size < 1:
        parser.error("--epochs y --batch-size deben ser al menos 1")
    return args


if __name__ == "__main__":
    args = get_args()
    train_loader, test_loader = load_data(args.batch_size)
    n_train, n_test = len(train_loader.dataset), len(test_loader.dataset)
    print(f"Dígitos: {n_train} de entrenamiento y {n_test} de prueba. Dispositivo: {DEVICE}")
    if n_train < 60000:
        print("AVISO: es solo una muestra; con MNIST completo la precisión es mayor.")

# %%
if __name__ == "__main__":
    model = SimpleCNN().to(DEVICE)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=LEARNING_RATE)

    train_losses, train_accuracies = [], []
    test_losses, test_accuracies = [], []
    for epoch in range(1, args.epochs + 1):
        start = time.perf_counter()
        train_loss, train_acc = train(model, train_loader, optimizer, criterion)
        seconds = time.perf_counter() - start
        test_loss, test_acc = test(model, test_loader, criterion)
        train_losses.append(train_loss)
        train_accuracies.append(train_acc)
        test_losses.append(test_loss)
        test_accuracies.append(test_acc)
        print(
            f"Época {epoch}/{args.epochs}"
            f" - entrenamiento: pérdida {train_loss:.4f}, precisión {train_acc:.2%}"
            f" - prueba: pérdida {test_loss:.4f}, precisión {test_acc:.2%}"
            f" - {seconds:.1f} s"
        )

# %% [markdown]
# ## Guardar el modelo
#
# Se guardan solo los pesos (`state_dict`). Para recuperarlos:
#
# ```python
# model = SimpleCNN()
# model.load_state_dict(torch.load("modelo/cnn_mnist.pt", weights_only=True))
# model.eval()
# ```
#
# Con una tasa de aprendizaje demasiado alta, los pesos crecen sin fin y dejan de ser números
# (`inf`, `nan`). Una red así no se guarda, porque ocuparía el lugar de una que sirve.


# %%
def is_finite(model):
    """Si todos los pesos son números finitos."""
    return all(bool(weights.isfinite().all()) for weights in model.state_dict().values())


if __name__ == "__main__":
    if not is_finite(model):
        sys.exit(
            "Los pesos ya no son números finitos (NaN o infinito): la red no se guarda y nada se"
            " reemplaza. Baja LEARNING_RATE y entrena otra vez."
        )
    os.makedirs(MODEL_DIR, exist_ok=True)
    torch.save(model.state_dict(), os.path.join(MODEL_DIR, "cnn_mnist.pt"))

# %% [markdown]
# ## Curvas de pérdida y de precisión
#
# Si la pérdida de entrenamiento sigue bajando y la de prueba empieza a subir, la red está
# memorizando: eso es el **sobreajuste**. En las primeras épocas la curva de prueba suele ir por
# delante de la de entrenamiento, porque se mide al acabar la época y sin dropout.
#
# Atención: la curva de prueba es para mirar, no para elegir. Si con ella se decide cuándo parar o
# qué red es mejor, deja de medir dígitos que no influyeron en nada; para elegir se aparta un
# tercer grupo, el de validación.


# %%
def plot_loss(train_losses, test_losses):
    """Guarda la curva de pérdida."""
    epochs = range(1, len(train_losses) + 1)
    plt.figure()
    plt.plot(epochs, train_losses, "o-", label="Train Loss")
    plt.plot(epochs, test_losses, "s--", label="Test Loss")
    plt.xticks(epochs)
    plt.xlabel("Época")
    plt.ylabel("Pérdida")
    plt.legend()
    plt.title("Curva de pérdida")
    plt.savefig(os.path.join(RESULTS_DIR, "loss_curve.png"))


def plot_accuracy(train_accuracies, test_accuracies):
    """Guarda la curva de precisión."""
    epochs = range(1, len(train_accuracies) + 1)
    plt.figure()
    plt.plot(epochs, train_accuracies, "o-", label="Train Accuracy")
    plt.plot(epochs, test_accuracies, "s--", label="Test Accuracy")
    plt.xticks(epochs)
    plt.xlabel("Época")
    plt.ylabel("Precisión")
    plt.legend()
    plt.title("Curva de precisión")
    plt.savefig(os.path.join(RESULTS_DIR, "accuracy_curve.png"))


if __name__ == "__main__":
    os.makedirs(RESULTS_DIR, exist_ok=True)
    plot_loss(train_losses, test_losses)
    plot_accuracy(train_accuracies, test_accuracies)

# %% [markdown]
# ## Matriz de confusión
#
# Cada fila es un dígito verdadero y cada columna, lo que dijo la red. En la diagonal están los
# aciertos; fuera de ella, los errores: ¿qué dígitos se confunden más?


# %%
def plot_confusion_matrix(y_true, y_pred):
    """Guarda la matriz de confusión."""
    cm = confusion_matrix(y_true, y_pred, labels=list(range(10)))
    disp = ConfusionMatrixDisplay(confusion_matrix=cm, display_labels=list(range(10)))
    _, ax = plt.subplots(figsize=(8, 8))
    disp.plot(ax=ax, colorbar=False)
    plt.xlabel("Predicción")
    plt.ylabel("Etiqueta verdadera")
    plt.title("Matriz de confusión - MNIST")
    plt.savefig(os.path.join(RESULTS_DIR, "confusion_matrix.png"))


if __name__ == "__main__":
    y_true, y_pred = predict(model, test_loader)
    plot_confusion_matrix(y_true, y_pred)

# %% [markdown]
# ## Ejemplos de predicción
#
# Arriba, los primeros dígitos de prueba; abajo, los primeros errores. ¿Los habrías leído bien tú?


# %%
def plot_sample_predictions(images, y_true, y_pred):
    """Guarda una figura con cinco ejemplos y hasta cinco errores."""
    mistakes = [i for i in range(len(y_true)) if y_true[i] != y_pred[i]]
    fig, axes = plt.subplots(2, 5, figsize=(10, 6))
    for ax in axes.flat:
        ax.axis("off")
    for place, i in enumerate([*range(5), *mistakes[:5]]):
        ax = axes.flat[place]
        ax.imshow(images[i], cmap="gray")
        ax.set_title(f"Real: {y_true[i]}\nPredicción: {y_pred[i]}")
    fig.suptitle("Ejemplos de predicción")
    plt.savefig(os.path.join(RESULTS_DIR, "sample_predictions.png"))


if __name__ == "__main__":
    plot_sample_predictions(test_loader.dataset.data.numpy(), y_true, y_pred)
    print(f"Precisión final con los dígitos de prueba: {test_acc:.2%}")
    print(f"Modelo guardado en {MODEL_DIR} y figuras en {RESULTS_DIR}")

# %% [markdown]
# ## Prueba tú
#
# * Cambia los filtros de `conv1` y `conv2` (8 y 16, 32 y 64): ¿cuánto cambian la precisión y el
#   tiempo de cada época? Recuerda ajustar `fc1`.
# * Quita el dropout: ¿qué pasa con la distancia entre las dos curvas de pérdida?
# * Añade una tercera convolución: ¿compensa?
# * Entrena dos veces sin cambiar nada: ¿cuánto varía la precisión solo por azar? Una mejora menor
#   que eso todavía no es una mejora.
