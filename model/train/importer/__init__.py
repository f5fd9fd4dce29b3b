"""Brings a trained HSEmotion / EmotiEffLib network (.onnx) into mien: int8 .tflite and card."""


class Refused(Exception):
    """What was given cannot be imported; the message names the reason and the way out."""


AFFECTNET8 = ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
AFFECTNET7 = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
ABAW = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise", "other")
FERPLUS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
ORDERS = {"affectnet8": AFFECTNET8, "affectnet7": AFFECTNET7, "abaw": ABAW, "ferplus": FERPLUS}
ABAW_UNITS = (1, 2, 4, 6, 7, 10, 12, 15, 23, 24, 25, 26)
UNITS = {"abaw": ABAW_UNITS}
VALENCE_AROUSAL = ("valence", "arousal")
EXPRESSIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "other")  # all names that there are
