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
# # Taller: la misma red en Keras
#
# Esta es la lección de `pytorch/cnn_pytorch.py`, como se escribe en Keras 3: los mismos datos, la
# misma red, las mismas figuras. Lo que allí es un bucle escrito a mano, aquí es `fit`. Léelas una al
# lado de la otra; la tabla de equivalencias está en `docs/how-to/other-programs.es.md`.
#
# Keras no calcula: reparte el trabajo a otra biblioteca, su **backend**. Aquí es PyTorch, así que no
# hace falta TensorFlow. Desde la raíz del proyecto:
#
# ```
# pip install 'taller-cnn[keras]'
# python lesson_keras/cnn_keras.py --epochs 10 --batch-size 64
# ```
#
# Al terminar quedan el modelo en `modelo/cnn_mnist.keras` y las figuras en `resultados/`, con los
# mismos nombres que las de la otra lección: las reemplazan. La lección está solo en español (*this
# lesson is in Spanish only*).

# %%
import argparse
import os
import sys
import time
from pathlib import Path

# Keras lee esta variable al importarse: después ya no se puede cambiar de backend.
os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

# %% [markdown]
# ## Ajustes
#
# Son los de la otra lección. Con la misma semilla no sale la misma red: Keras y PyTorch sacan los
# números al azar en otro orden y, además, empiezan con otros pesos (Keras usa Glorot; PyTorch, He).

# %%
EPOCHS = 2
BATCH_SIZE = 64
LEARNING_RATE = 1e-3
SEED = 0

# Un cuaderno trabaja en su carpeta; los datos y los resultados van en la de encima.
BASE_DIR = ".." if os.path.basename(os.getcwd()) == "lesson_keras" else "."
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


def get_args():
    """Las opciones de la línea de comandos, que un cuaderno no tiene."""
    parser = argparse.ArgumentParser(description="Entrena una CNN básica con MNIST, en Keras.")
    parser.add_argument("--epochs", type=int, default=10, help="épocas de entrenamiento")
    parser.add_argument("--batch-size", type=int, default=BATCH_SIZE, help="dígitos por lote")
    parser.add_argument("--seed", type=int, default=SEED, help="semilla del azar")
    args = parser.parse_args()
    if args.epochs < 1 or args.batch_size < 1 or args.seed < 0:
        parser.error("--epochs y --batch-size deben ser al menos 1, y --seed al menos 0")
    return args


if __name__ == "__main__" and "ipykernel" not in sys.modules:
    args = get_args()
    EPOCHS, BATCH_SIZE, SEED = args.epochs, args.batch_size, args.seed

# %% [markdown]
# ## Los datos
#
# Keras pone los **canales al final**: una imagen es de 28 × 28 × 1, y en PyTorch, de 1 × 28 × 28. No
# hay `Dataset` ni `DataLoader`: `fit` recibe arreglos de NumPy, los baraja y los reparte en lotes.
#
# La validación es un dígito de cada doce de entrenamiento. Con ella se decide; con la prueba, solo
# se informa.


# %%
def load_data():
    """Imágenes y etiquetas de entrenamiento y de prueba, con píxeles de 0 a 255.

    Sin conexión a internet y sin MNIST en el disco, el paquete del taller prepara una muestra
    pequeña de dígitos reales. Donde no está instalado, como en Colab, Keras descarga MNIST.
    """
    try:
        from taller_cnn.data import DigitsPlace
    except ImportError:
        return keras.datasets.mnist.load_data()
    place = DigitsPlace(data_dir=Path(DATA_DIR), sample_dir=Path(SAMPLE_DIR))
    digits = place.load(0)
    return [
        (part.images[:, 0].numpy(), part.labels.numpy()) for part in (digits.train, digits.test)
    ]


def prepare(images):
    """Las imágenes normalizadas, con un eje de canales al final."""
    return ((images / 255 - 0.1307) / 0.3081)[..., None].astype("float32")


if __name__ == "__main__":
    (train_images, train_labels), (test_images, y_test) = load_data()
    if len(train_images) < 60000:
        print("AVISO: es solo una muestra; con MNIST completo la precisión es mayor.")
    # El reparto es siempre el mismo, sea cual sea SEED: así se pueden comparar dos redes.
    order = np.random.default_rng(0).permutation(len(train_images))
    held_out, kept = np.split(order, [len(order) // 12])
    x_train, y_train = prepare(train_images[kept]), train_labels[kept]
    x_val, y_val = prepare(train_images[held_out]), train_labels[held_out]
    x_test = prepare(test_images)
    sizes = [spanish(len(part)) for part in (x_train, x_val, x_test)]
    print(f"Dígitos: {sizes[0]} de entrenamiento, {sizes[1]} de validación y {sizes[2]} de prueba.")

# %% [markdown]
# ## La red
#
# Las capas van en una lista. Keras deduce el tamaño de entrada de cada una: por eso `Dense(128)` no
# dice 1568, y `Conv2D(16, 3)` no dice un canal. `padding="same"` conserva el tamaño, como
# `padding=1` con un kernel de 3 × 3.
#
# La última capa da **logits**, sin softmax: la pérdida ya lo aplica, porque se le dice
# `from_logits=True`. Si en un curso ves `Dense(10, activation="softmax")`, la pérdida va entonces
# sin ese argumento. Con los dos a la vez, o con ninguno, la red aprende mal y nadie avisa.


# %%
def make_model():
    """La red del taller, sin entrenar."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(2, name="pool2"),
            layers.Flatten(),
            layers.Dense(128, activation="relu", name="fc1"),
            layers.Dropout(0.25),
            layers.Dense(10, name="fc2"),
        ]
    )


if __name__ == "__main__":
    keras.utils.set_random_seed(SEED)
    model = make_model()
    print(f"Parámetros: {spanish(model.count_params())}")

# %% [markdown]
# ## Entrenamiento
#
# `compile` junta la red con el optimizador, la pérdida y lo que se quiere medir. `fit` hace el bucle:
# `zero_grad`, predecir, medir, `backward` y `step` están dentro. También conecta el dropout al
# entrenar y lo desconecta al medir.
#
# Lo que no hace `fit` se le añade con **callbacks**, que llama tras cada época:
#
# * `EarlyStopping` se queda con los pesos de la época con la menor pérdida de validación;
# * `TerminateOnNaN` para si la pérdida deja de ser un número;
# * `Report` es nuestro: mide con el conjunto de prueba, para la figura, y escribe una línea.


# %%
class Report(keras.callbacks.Callback):
    """Guarda la pérdida y la precisión de prueba de cada época, y escribe una línea."""

    def __init__(self, images, labels):
        super().__init__()
        self.images, self.labels = images, labels
        self.losses, self.accuracies = [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs):
        seconds = time.perf_counter() - self.start
        loss, accuracy = self.model.evaluate(self.images, self.labels, verbose=0)
        self.losses.append(loss)
        self.accuracies.append(accuracy)
        print(
            f"Época {epoch + 1}/{self.params['epochs']}"
            f" - entrenamiento: pérdida {spanish(logs['loss'], 4)},"
            f" precisión {percent(logs['accuracy'])}"
            f" - validación: pérdida {spanish(logs['val_loss'], 4)},"
            f" precisión {percent(logs['val_accuracy'])} - {spanish(seconds, 1)} s"
        )


if __name__ == "__main__":
    model.compile(
        optimizer=keras.optimizers.Adam(LEARNING_RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    report = Report(x_test, y_test)
    best = keras.callbacks.EarlyStopping(patience=EPOCHS, restore_best_weights=True)
    history = model.fit(
        x_train,
        y_train,
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        validation_data=(x_val, y_val),
        callbacks=[report, best, keras.callbacks.TerminateOnNaN()],
        verbose=0,
    ).history
    best_epoch = int(np.argmin(history["val_loss"])) + 1
    print(f"La validación elige la época {best_epoch}.")

# %% [markdown]
# ## Guardar el modelo
#
# Keras guarda la red entera, capas y pesos, y se recupera sin el código de la lección:
# `keras.saving.load_model("modelo/cnn_mnist.keras")`. Para seguir con él en el taller:
# `taller-cnn import keras modelo/cnn_mnist.keras --output modelo/de_keras.pt`.

# %%
if __name__ == "__main__":
    if not all(np.isfinite(weights).all() for weights in model.get_weights()):
        sys.exit(
            "Los pesos ya no son números finitos (NaN o infinito): la red no se guarda y nada se"
            " reemplaza. Baja LEARNING_RATE y entrena otra vez."
        )
    os.makedirs(MODEL_DIR, exist_ok=True)
    model.save(os.path.join(MODEL_DIR, "cnn_mnist.keras"))

# %% [markdown]
# ## Curvas de pérdida y de precisión
#
# Si la pérdida de entrenamiento sigue bajando y la de validación empieza a subir, la red está
# memorizando: eso es el **sobreajuste**. La curva de prueba es para mirar.


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
    plot_curve(history["loss"], history["val_loss"], report.losses, "Pérdida", "loss_curve.png")
    accuracies = (history["accuracy"], history["val_accuracy"], report.accuracies)
    plot_curve(*accuracies, "Precisión", "accuracy_curve.png")

# %% [markdown]
# ## Matriz de confusión
#
# `predict` devuelve los logits de todas las imágenes. El mayor es la etiqueta predicha, y softmax los
# convierte en probabilidades. Cada fila de la matriz es una etiqueta real y cada columna, una
# predicha.


# %%
def plot_confusion_matrix(y_true, y_pred):
    """Guarda la matriz de confusión y la devuelve."""
    _, ax = plt.subplots(figsize=(8, 6.5), layout="constrained")
    cm = confusion_matrix(y_true, y_pred, labels=list(range(10)))
    disp = ConfusionMatrixDisplay(confusion_matrix=cm, display_labels=list(range(10)))
    disp.plot(ax=ax)
    ax.set(xlabel="Etiqueta predicha", ylabel="Etiqueta real")
    plt.title("Matriz de confusión - MNIST")
    save_figure("confusion_matrix.png")
    return cm


if __name__ == "__main__":
    logits = model.predict(x_test, batch_size=BATCH_SIZE, verbose=0)
    y_pred = logits.argmax(axis=1)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    y_prob = (exponentials / exponentials.sum(axis=1, keepdims=True)).max(axis=1)
    cm = plot_confusion_matrix(y_test, y_pred)

# %% [markdown]
# ## Ejemplos de predicción y errores
#
# Arriba, los primeros dígitos de prueba; abajo, los errores en los que la red está más segura, cada
# uno con la probabilidad que le da.


# %%
def plot_sample_predictions(images, y_true, y_pred, y_prob):
    """Guarda una figura con cinco ejemplos y los cinco errores de mayor probabilidad."""
    mistakes = np.flatnonzero(y_true != y_pred)
    mistakes = mistakes[np.argsort(-y_prob[mistakes])]
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
    plot_sample_predictions(test_images, y_test, y_pred, y_prob)

# %% [markdown]
# ## Lo que se informa
#
# La validación eligió la época, y la prueba mide esa red.

# %%
if __name__ == "__main__":
    errors = int(cm.sum() - cm.trace())
    print(f"Precisión en el conjunto de prueba: {percent(1 - errors / len(y_test))}")
    print(f"Errores: {spanish(errors)} de {spanish(len(y_test))} (semilla {SEED})")
    print(f"Modelo guardado en {MODEL_DIR} y figuras en {RESULTS_DIR}")

# %% [markdown]
# ## Prueba tú
#
# 1. **Mira los pesos.** `model.get_layer("conv1").get_weights()[0].shape` es (3, 3, 1, 16); en PyTorch,
#    `conv1.weight` es de (16, 1, 3, 3). ¿Qué eje es cada uno?
# 2. **Lleva la red a PyTorch a mano.** Copia los pesos en la `SimpleCNN` de la otra lección. Las
#    convoluciones y `fc2` solo piden cambiar ejes. ¿Qué le falta a `fc1`? *Pista:* `Flatten` recorre
#    los canales al final, y `view` al principio. `taller-cnn import keras` te dice si acertaste.
# 3. **Softmax dos veces.** Pon `activation="softmax"` en la última capa y deja `from_logits=True`.
#    Antes de ejecutar: ¿hasta dónde puede bajar la pérdida?
