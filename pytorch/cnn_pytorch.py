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
# **Objetivo.** Implementar y entrenar una red neuronal convolucional (CNN) básica que clasifica
# dígitos manuscritos, analizar qué hacen sus filtros y sus capas, y ver en qué se equivoca.
#
# **Conceptos.** Capas convolucionales, pooling, capas densas y dropout; normalización de imágenes;
# entrenamiento supervisado y evaluación; curvas de pérdida y de precisión; matriz de confusión;
# lectura de los errores.
#
# Todo el taller está en este archivo, que se puede usar de tres maneras:
#
# * como cuaderno, en Jupyter o en Colab (`pytorch/cnn_pytorch.ipynb`), celda a celda. No necesita
#   nada que no tenga Colab;
# * como programa, desde la raíz del proyecto:
#   `python pytorch/cnn_pytorch.py --epochs 10 --batch-size 64`;
# * como módulo: al importarlo se obtienen sus funciones y no se entrena nada.
#
# Al terminar quedan el modelo en `modelo/cnn_mnist.pt` y las figuras en `resultados/`. La lección
# está solo en español (*this lesson is in Spanish only*).

# %%
import argparse
import copy
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
from torch.utils.data import DataLoader, random_split
from torchvision import datasets, transforms

# %% [markdown]
# ## Ajustes
#
# En una **época** la red ve una vez todos los dígitos de entrenamiento, repartidos en **lotes**
# (*batches*). Tras cada lote, el optimizador corrige un poco los pesos; la **tasa de aprendizaje**
# dice cuánto. De la **semilla** salen todos los números al azar: los pesos iniciales, el orden de
# los dígitos y lo que apaga el dropout. Con otra semilla sale otra red, igual de válida.
#
# En el cuaderno bastan dos épocas para ver cómo aprende la red. El programa entrena diez, si no se
# le pide otra cosa.

# %%
EPOCHS = 2
BATCH_SIZE = 64
LEARNING_RATE = 1e-3
SEED = 0
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


def spanish(number, decimals=0):
    """El número como se escribe en español: 1.234,5."""
    return f"{number:,.{decimals}f}".translate(str.maketrans(",.", ".,"))


def percent(share, decimals=2):
    """La fracción como porcentaje: 0.9876 es «98,76 %»."""
    return f"{spanish(100 * share, decimals)} %"


def save_figure(name):
    """Guarda en `resultados/` la figura actual, que un cuaderno muestra además bajo la celda."""
    os.makedirs(RESULTS_DIR, exist_ok=True)
    plt.savefig(os.path.join(RESULTS_DIR, name))


# %% tags=["program"]
def get_args():
    """Las opciones de la línea de comandos, que el cuaderno no tiene."""
    parser = argparse.ArgumentParser(description="Entrena una CNN básica con MNIST.")
    parser.add_argument("--epochs", type=int, default=10, help="épocas de entrenamiento")
    parser.add_argument("--batch-size", type=int, default=BATCH_SIZE, help="dígitos por lote")
    parser.add_argument("--seed", type=int, default=SEED, help="semilla del azar")
    args = parser.parse_args()
    if args.epochs < 1 or args.batch_size < 1 or args.seed < 0:
        parser.error("--epochs y --batch-size deben ser al menos 1, y --seed al menos 0")
    return args


# %% tags=["program"]
if __name__ == "__main__":
    args = get_args()
    EPOCHS, BATCH_SIZE, SEED = args.epochs, args.batch_size, args.seed

# %% [markdown]
# ## Los datos
#
# MNIST tiene 60.000 dígitos de entrenamiento y 10.000 de prueba, en imágenes grises de 28 × 28
# píxeles. El **Dataset** da una imagen y su etiqueta. `ToTensor` pasa los píxeles de 0-255 a 0-1, y
# `Normalize` les resta su media (0,1307) y los divide por su desviación típica (0,3081): así los
# números que entran en la red rondan el cero y el entrenamiento es más estable.


# %%
def load_data():
    """Los Dataset de entrenamiento y de prueba."""
    transform = transforms.Compose(
        [
            transforms.ToTensor(),
            transforms.Normalize((0.1307,), (0.3081,)),
        ]
    )
    train_dataset = datasets.MNIST(root=DATA_DIR, train=True, download=True, transform=transform)
    test_dataset = datasets.MNIST(root=DATA_DIR, train=False, download=True, transform=transform)
    return train_dataset, test_dataset


def digits_root():
    """Carpeta en la que torchvision encuentra los dígitos, o en la que los descarga.

    Sin conexión a internet y sin MNIST en el disco, el paquete del taller prepara una muestra
    pequeña de dígitos reales. Donde no está instalado, como en Colab, torchvision descarga MNIST.
    """
    try:
        from taller_cnn.data import DigitsPlace
    except ImportError:
        return DATA_DIR
    place = DigitsPlace(data_dir=Path(DATA_DIR), sample_dir=Path(SAMPLE_DIR))
    return place.torchvision_root()


if __name__ == "__main__":
    DATA_DIR = digits_root()
    train_dataset, test_dataset = load_data()
    if len(train_dataset) < 60000:
        print("AVISO: es solo una muestra; con MNIST completo la precisión es mayor.")

# %% [markdown]
# Antes de entrenar nada, mira los datos. Para la red, un dígito no es un dibujo: son 784 números.
# El negro del fondo es 0 y el blanco del trazo, 255.


# %%
def plot_digits(dataset):
    """Guarda una figura con los cuatro primeros dígitos de cada clase."""
    _, axes = plt.subplots(4, 10, figsize=(10, 4.4), layout="constrained")
    for digit in range(10):
        for row, i in enumerate((dataset.targets == digit).nonzero()[:4, 0]):
            axes[row, digit].imshow(dataset.data[i].numpy(), cmap="gray")
        axes[0, digit].set_title(f"{digit}")
    for ax in axes.flat:
        ax.axis("off")
    plt.suptitle("Dígitos de entrenamiento y su etiqueta")
    save_figure("lesson_digits.png")


def plot_pixels(image, label):
    """Guarda una figura con el centro de una imagen y el número de cada píxel."""
    plt.figure(figsize=(8, 8), layout="constrained")
    center = image[7:21, 7:21].numpy()
    plt.imshow(center, cmap="gray")
    for row in range(14):
        for column in range(14):
            value = int(center[row, column])
            color = "black" if value > 127 else "white"
            plt.text(column, row, value, color=color, ha="center", va="center", fontsize=9)
    plt.axis("off")
    plt.title(f"Los 14 × 14 píxeles del centro de un {label}")
    save_figure("lesson_pixels.png")


if __name__ == "__main__":
    pixels = train_dataset.data / 255
    print(f"Media de los píxeles: {spanish(pixels.mean(), 4)}")
    print(f"Desviación típica: {spanish(pixels.std(), 4)}")
    plot_digits(train_dataset)
    plot_pixels(train_dataset.data[0], int(train_dataset.targets[0]))

# %% [markdown]
# ### Tres conjuntos, tres papeles
#
# * Con el conjunto de **entrenamiento**, la red aprende.
# * Con el de **validación**, tú decides: cuántas épocas, cuántos filtros, qué red. Lo forma un
#   dígito de cada doce de entrenamiento, que la red no ve al aprender.
# * Con el de **prueba** se informa, y no se decide nada. Si con él eliges la mejor red, ya no mide
#   cuánto acertará con dígitos nuevos: mide lo bien que elegiste para esos dígitos.
#
# El **DataLoader** junta los ejemplos en lotes. Los de entrenamiento se barajan en cada época, para
# que la red no aprenda su orden; en los otros dos conjuntos el orden da igual.


# %%
def make_loaders(train_dataset, test_dataset):
    """Los DataLoader de entrenamiento, de validación y de prueba."""
    n_val = len(train_dataset) // 12
    # El reparto es siempre el mismo, sea cual sea SEED: así se pueden comparar dos redes.
    train_set, val_set = random_split(
        train_dataset,
        [len(train_dataset) - n_val, n_val],
        generator=torch.Generator().manual_seed(0),
    )
    train_loader = DataLoader(train_set, batch_size=BATCH_SIZE, shuffle=True)
    val_loader = DataLoader(val_set, batch_size=BATCH_SIZE, shuffle=False)
    test_loader = DataLoader(test_dataset, batch_size=BATCH_SIZE, shuffle=False)
    return train_loader, val_loader, test_loader


if __name__ == "__main__":
    train_loader, val_loader, test_loader = make_loaders(train_dataset, test_dataset)
    sizes = [spanish(len(loader.dataset)) for loader in (train_loader, val_loader, test_loader)]
    print(
        f"Dígitos: {sizes[0]} de entrenamiento, {sizes[1]} de validación y {sizes[2]} de prueba."
        f" Dispositivo: {DEVICE}"
    )

# %% [markdown]
# ## La red
#
# Un **filtro** de una convolución es una plantilla pequeña de pesos, el **kernel**: aquí, de 3 × 3.
# El filtro recorre la imagen y en cada posición multiplica, píxel a píxel, y suma. El resultado es
# otra imagen, su **mapa de características**: es mayor donde la imagen se parece a la plantilla.
# Como recorre toda la imagen, el mismo filtro reconoce un trazo esté donde esté.
#
# El **stride** es cuántos píxeles avanza el filtro cada vez, y el **padding**, cuántos píxeles de
# ceros se añaden a cada lado. El lado de la salida se calcula así (redondeando hacia abajo):
#
# $$\text{salida} = \frac{\text{entrada} + 2 \cdot \text{padding} - \text{kernel}}{\text{stride}} + 1$$
#
# * `conv1` tiene kernel 3, padding 1 y stride 1: (28 + 2 · 1 − 3) / 1 + 1 = 28. El padding conserva
#   el tamaño; sin él, el lado sería 26.
# * `pool` tiene kernel 2, padding 0 y stride 2: (28 − 2) / 2 + 1 = 14. El **pooling** se queda con
#   el máximo de cada 2 × 2: la mitad de lado y la cuarta parte de los números.
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
# En total, 206.922 parámetros. **ReLU** cambia por cero los números negativos. `fc1` y `fc2` son
# **capas densas** (totalmente conectadas): cada neurona recibe todas las salidas de la capa
# anterior. El **dropout** solo actúa al entrenar: apaga neuronas al azar para que la red no dependa
# de unas pocas.


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
# ## La pérdida
#
# La red termina en diez números sin límites, los **logits**: el mayor es el dígito que predice.
# **Softmax** los convierte en probabilidades, positivas y que suman 1. La **entropía cruzada** es
# el logaritmo, con el signo cambiado, de la probabilidad que recibe la etiqueta real: 0 si es
# del 100 %, y tanto mayor cuanto menor es esa probabilidad. Una red que reparte por igual entre los
# diez dígitos tiene −log(1/10) = 2,30: por ahí empieza una red sin entrenar.
#
# Entonces, ¿por qué la red no acaba en softmax? Porque `nn.CrossEntropyLoss` ya lo aplica, de una
# forma que no se desborda con logits grandes. Aplicarlo dos veces daría otra pérdida, que nunca
# llega a cero y de la que se aprende más despacio. Para predecir tampoco hace falta: el logit mayor
# es también la probabilidad mayor.

# %%
if __name__ == "__main__":
    logits = torch.tensor([[2.0, 1.0, -1.0]])
    label = torch.tensor([0])
    probabilities = F.softmax(logits, dim=1)
    print("Probabilidades:", ", ".join(percent(p, 1) for p in probabilities[0].tolist()))
    print(f"−log de la primera: {spanish(-probabilities[0, 0].log(), 4)}")
    print(f"Entropía cruzada:   {spanish(nn.CrossEntropyLoss()(logits, label), 4)}")

# %% [markdown]
# ## Entrenamiento y evaluación
#
# Con cada lote se hace lo mismo:
#
# 1. `zero_grad` borra los gradientes del lote anterior: PyTorch los va sumando, y sin borrarlos el
#    optimizador corregiría con todos los lotes pasados a la vez.
# 2. `model(images)` predice y `criterion` mide la pérdida.
# 3. `backward` calcula el **gradiente**: cuánto cambia la pérdida si cambia cada peso.
# 4. `step` corrige los pesos en el sentido que la baja. **Adam** da a cada peso un tamaño de
#    corrección propio, según los gradientes que ha tenido hasta entonces; por eso funciona bien sin
#    ajustar mucho la tasa de aprendizaje.
#
# La pérdida y la precisión de entrenamiento son las medias de toda la época, mientras la red va
# cambiando. La precisión (exactitud, *accuracy*) es la parte de los dígitos que acierta.
#
# Evaluar es lo mismo sin corregir nada: `model.eval()` desconecta el dropout y `torch.no_grad()`
# ahorra el cálculo de los gradientes. Las dos funciones usan `model`, `criterion`, `optimizer` y
# `train_loader`, que crea la celda siguiente.


# %%
def train():
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


def evaluate(loader):
    """La pérdida y la precisión con dígitos que la red no ha visto al entrenar."""
    model.eval()
    running_loss = 0.0
    correct, total = 0, 0
    with torch.no_grad():
        for images, labels in loader:
            images, labels = images.to(DEVICE), labels.to(DEVICE)
            outputs = model(images)
            loss = criterion(outputs, labels)
            running_loss += loss.item() * images.size(0)
            _, predicted = torch.max(outputs, 1)
            correct += (predicted == labels).sum().item()
            total += labels.size(0)
    return running_loss / total, correct / total


# %% [markdown]
# Tras cada época se miden los tres conjuntos, pero solo la validación decide: se guardan los pesos
# de la época con la menor pérdida de validación. Antes de ejecutar la celda, predice: ¿qué precisión
# tendrá la red tras una sola época?

# %%
if __name__ == "__main__":
    torch.manual_seed(SEED)
    model = SimpleCNN().to(DEVICE)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=LEARNING_RATE)

    train_losses, train_accuracies = [], []
    val_losses, val_accuracies = [], []
    test_losses, test_accuracies = [], []
    for epoch in range(1, EPOCHS + 1):
        start = time.perf_counter()
        train_loss, train_acc = train()
        seconds = time.perf_counter() - start
        val_loss, val_acc = evaluate(val_loader)
        test_loss, test_acc = evaluate(test_loader)
        if epoch == 1 or val_loss < min(val_losses):
            best_epoch, best_weights = epoch, copy.deepcopy(model.state_dict())
        train_losses.append(train_loss)
        train_accuracies.append(train_acc)
        val_losses.append(val_loss)
        val_accuracies.append(val_acc)
        test_losses.append(test_loss)
        test_accuracies.append(test_acc)
        print(
            f"Época {epoch}/{EPOCHS}"
            f" - entrenamiento: pérdida {spanish(train_loss, 4)}, precisión {percent(train_acc)}"
            f" - validación: pérdida {spanish(val_loss, 4)}, precisión {percent(val_acc)}"
            f" - {spanish(seconds, 1)} s"
        )
    model.load_state_dict(best_weights)
    print(f"La validación elige la época {best_epoch}.")

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
# Si la pérdida de entrenamiento sigue bajando y la de validación empieza a subir, la red está
# memorizando: eso es el **sobreajuste**. En las primeras épocas la curva de validación suele ir por
# delante de la de entrenamiento, porque se mide al acabar la época y sin dropout.
#
# La curva de prueba es para mirar. Compárala con la de validación: son dos medidas de la misma red
# con dígitos distintos, y lo que las separa te da una idea de cuánto hace el azar.


# %%
def plot_curve(train_values, val_values, test_values, name, file):
    """Guarda la curva de una medida en los tres conjuntos, época a época."""
    epochs = range(1, len(train_values) + 1)
    plt.figure()
    plt.plot(epochs, train_values, "o-", label="Entrenamiento")
    plt.plot(epochs, val_values, "s--", label="Validación")
    plt.plot(epochs, test_values, "^:", label="Prueba")
    plt.gca().yaxis.set_major_formatter(lambda value, _: f"{value:.6g}".replace(".", ","))
    plt.xticks(epochs)
    plt.xlabel("Época")
    plt.ylabel(name)
    plt.legend()
    plt.title(f"Curva de {name.lower()}")
    save_figure(file)


if __name__ == "__main__":
    plot_curve(train_losses, val_losses, test_losses, "Pérdida", "loss_curve.png")
    plot_curve(train_accuracies, val_accuracies, test_accuracies, "Precisión", "accuracy_curve.png")

# %% [markdown]
# ## Matriz de confusión
#
# Cada fila es una etiqueta real y cada columna, una etiqueta predicha. En la diagonal están los
# aciertos; fuera de ella, los errores: ¿qué dígitos se confunden más?
#
# La **exhaustividad** (*recall*) de un dígito es la parte de sus imágenes que la red acierta. Cada
# dígito tiene unas mil imágenes de prueba: unos pocos errores más o menos son azar, así que no
# saques conclusiones de dos o tres décimas.


# %%
def predict(loader):
    """Las etiquetas reales, las predichas y la probabilidad que la red da a cada predicha."""
    model.eval()
    y_true, y_pred, y_prob = [], [], []
    with torch.no_grad():
        for images, labels in loader:
            probabilities = F.softmax(model(images.to(DEVICE)), dim=1)
            highest, predicted = torch.max(probabilities, 1)
            y_true.extend(labels.tolist())
            y_pred.extend(predicted.tolist())
            y_prob.extend(highest.tolist())
    return y_true, y_pred, y_prob


def plot_confusion_matrix(y_true, y_pred):
    """Guarda la matriz de confusión y la devuelve."""
    _, ax = plt.subplots(figsize=(8, 6.5), layout="constrained")
    cm = confusion_matrix(y_true, y_pred)
    disp = ConfusionMatrixDisplay(confusion_matrix=cm, display_labels=list(range(10)))
    disp.plot(ax=ax)
    ax.set(xlabel="Etiqueta predicha", ylabel="Etiqueta real")
    plt.title("Matriz de confusión - MNIST")
    plt.savefig(os.path.join(RESULTS_DIR, "confusion_matrix.png"))
    return cm


if __name__ == "__main__":
    y_true, y_pred, y_prob = predict(test_loader)
    cm = plot_confusion_matrix(y_true, y_pred)
    for digit in range(10):
        right, count = int(cm[digit, digit]), int(cm[digit].sum())
        print(f"Exhaustividad del {digit}: {percent(right / count, 1)} ({right} de {count})")

# %% [markdown]
# ## Ejemplos de predicción y errores
#
# Arriba, los primeros dígitos de prueba; abajo, los errores en los que la red está más segura, cada
# uno con la probabilidad que le da. ¿Los habrías leído bien tú? Algunos tienen una etiqueta dudosa.


# %%
def plot_sample_predictions(images, y_true, y_pred, y_prob):
    """Guarda una figura con cinco ejemplos y los cinco errores de mayor probabilidad."""
    mistakes = [i for i in range(len(y_true)) if y_true[i] != y_pred[i]]
    mistakes.sort(key=lambda i: -y_prob[i])
    fig, axes = plt.subplots(2, 5, figsize=(10, 6), layout="constrained")
    for ax in axes.flat:
        ax.axis("off")
    for place, i in enumerate([*range(5), *mistakes[:5]]):
        ax = axes.flat[place]
        ax.imshow(images[i], cmap="gray")
        ax.set_title(f"Real: {y_true[i]}\nPredicha: {y_pred[i]} ({percent(y_prob[i], 1)})")
    fig.suptitle("Ejemplos de predicción")
    save_figure("sample_predictions.png")


if __name__ == "__main__":
    plot_sample_predictions(test_dataset.data.numpy(), y_true, y_pred, y_prob)

# %% [markdown]
# ## Qué miran los filtros
#
# Estos son los 16 filtros de `conv1`: en azul, los pesos positivos; en rojo, los negativos. Un
# filtro con un lado azul y el otro rojo responde a un borde. Después, un dígito de prueba y sus
# mapas de características tras cada convolución: los de `conv1` se parecen al dígito; en los de
# `conv2`, más pequeños, cada uno responde a unos trazos y no a otros.
#
# Míralos con cuidado: también con pesos al azar se ven «bordes». Que un filtro parezca algo no
# prueba que la red lo use.


# %%
def plot_filters():
    """Guarda una figura con los filtros de la primera convolución, en una misma escala."""
    weights = model.conv1.weight.detach().cpu().numpy()
    limit = abs(weights).max()
    fig, axes = plt.subplots(2, 8, figsize=(10, 3.4), layout="constrained")
    for number, ax in enumerate(axes.flat):
        shown = ax.imshow(weights[number, 0], cmap="RdBu", vmin=-limit, vmax=limit)
        ax.set_title(f"{number}")
        ax.axis("off")
    bar = fig.colorbar(shown, ax=axes, format=lambda value, _: f"{value:.1f}".replace(".", ","))
    bar.set_label("Peso")
    fig.suptitle("Filtros de conv1")
    save_figure("lesson_filters.png")


def plot_feature_maps(image, label):
    """Guarda una figura con los mapas de características de una imagen normalizada."""
    with torch.no_grad():
        maps1 = F.relu(model.conv1(image.unsqueeze(0).to(DEVICE)))
        maps2 = F.relu(model.conv2(model.pool(maps1)))
    fig, axes = plt.subplots(7, 8, figsize=(9, 8.6), layout="constrained")
    for ax in axes.flat:
        ax.axis("off")
    axes[0, 0].imshow(image[0].numpy(), cmap="gray")
    axes[0, 0].set_title("entrada")
    for number, ax in enumerate(axes[1:].flat):
        name, maps, i = ("conv1", maps1, number) if number < 16 else ("conv2", maps2, number - 16)
        ax.imshow(maps[0, i].cpu().numpy(), cmap="viridis", vmin=0, vmax=maps.max().item())
        ax.set_title(f"{name}: {i}", fontsize=9)
    fig.suptitle(f"Mapas de características de un {label}, tras ReLU")
    save_figure("lesson_feature_maps.png")


if __name__ == "__main__":
    plot_filters()
    plot_feature_maps(*test_dataset[0])

# %% [markdown]
# ## Lo que se informa
#
# La validación eligió la época, y la prueba mide esa red. Con 10.000 dígitos, el azar de cuáles
# tocaron mueve la precisión unas dos décimas arriba o abajo.

# %%
if __name__ == "__main__":
    test_acc = test_accuracies[best_epoch - 1]
    errors = int(cm.sum() - cm.trace())
    print(f"Precisión en el conjunto de prueba: {percent(test_acc)}")
    print(f"Errores: {spanish(errors)} de {spanish(len(y_true))} (semilla {SEED})")
    print(f"Modelo guardado en {MODEL_DIR} y figuras en {RESULTS_DIR}")

# %% [markdown]
# ## Prueba tú
#
# Cambia una cosa, vuelve a la celda que crea `model` y entrena otra vez. Antes de ejecutar, escribe
# qué esperas. Las cifras que siguen son las del proyecto, con varias semillas por red y MNIST
# completo ([`benchmarks/results/2026-11-28-study.csv`](../benchmarks/results/2026-11-28-study.csv));
# entre paréntesis, el intervalo del 95 %.
#
# 1. **Solo otra semilla** (`SEED`). ¿Cuánto cambia la precisión? *Qué esperar:* con ocho semillas,
#    dos épocas y todo lo demás igual, el error fue del 0,80 % al 0,96 %. Una diferencia así entre
#    dos redes no dice cuál es mejor.
# 2. **La mitad de los filtros** en `conv1` y `conv2` (8 y 16; `fc1` recibe entonces 16 · 7 · 7).
#    *Qué esperar:* 0,16 puntos más de error tras dos épocas (de 0,02 a 0,31), que se vieron con ocho
#    semillas por red. Con una sola, el azar es igual de grande: no verás nada seguro.
# 3. **Sin la segunda convolución** (`fc1` recibe entonces 16 · 14 · 14). *Qué esperar:* 0,39 puntos
#    más de error (de 0,26 a 0,53), aunque la red tiene el doble de parámetros. Esto sí suele verse.
# 4. **Sin dropout** (`nn.Dropout(0.0)`) y con todos los dígitos. *Qué esperar:* nada que se distinga
#    con una red; ni con seis semillas y diez épocas hubo evidencia de que cambie el error.
# 5. **Sin dropout y con 2.000 dígitos.** Cambia el conjunto de entrenamiento y el número de épocas:
#
#    ```python
#    from torch.utils.data import Subset
#
#    few_digits = Subset(train_loader.dataset, range(2000))
#    train_loader = DataLoader(few_digits, batch_size=BATCH_SIZE, shuffle=True)
#    EPOCHS = 27
#    ```
#
#    *Qué esperar:* el dropout quita 0,49 puntos de error (de 0,21 a 0,77), medidos con diez semillas:
#    del 4,3 % al 3,8 %. Mira también cuánto se separan las curvas de entrenamiento y de validación.
#    Aun así, una sola pareja de redes puede decir lo contrario: sin dropout hubo semillas con un
#    3,7 %, y con dropout, con un 4,3 %.
#
# ### Las semillas de la clase, juntas
#
# Una persona con una semilla no puede responder; la clase sí. Cada uno elige una semilla distinta,
# entrena con ella las dos redes del ejercicio 5 y apunta cuántos errores de validación tiene cada
# una. Con todas las parejas:
#
# ```python
# import numpy as np
#
# without_dropout = np.array([...])  # errores de cada persona sin dropout
# with_dropout = np.array([...])     # y con dropout, en el mismo orden
# difference = without_dropout - with_dropout
# margin = 2.26 * difference.std(ddof=1) / np.sqrt(len(difference))  # 2,26: t de Student, 10 parejas
# print(difference.mean() - margin, difference.mean() + margin)
# ```
#
# Si el intervalo no contiene el cero, la clase tiene evidencia. ¿Cuántas parejas hicieron falta?
#
# ### Para seguir
#
# Con el proyecto instalado, estos comandos continúan donde acaba la lección:
#
# * `taller-cnn study` entrena cientos de redes y dice, con intervalos, qué hacen los filtros, las
#   capas y el dropout;
# * `taller-cnn explain` escribe una página sobre tu red: filtros, mapas de características, errores,
#   confianza, robustez;
# * `taller-cnn lab` abre el laboratorio: dibuja un dígito y mira dentro de la red.
