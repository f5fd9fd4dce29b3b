"""Training of mien's affect network: data, renderer, network, export to int8 and its card."""

AUS = (1, 2, 4, 6, 7, 9, 10, 12, 15, 23, 24, 25, 26, 43)
EXPRESSIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
EYE_AUS = (1, 2, 4, 6, 7, 9, 43)
MOUTH_AUS = (10, 12, 15, 23, 24, 25, 26)

# Valence and arousal of the eight expressions on Russell's circumplex, in the
# order of EXPRESSIONS. They turn expression votes into derived V/A targets; no
# rater ever gave these numbers for a picture.
CIRCUMPLEX = (
    (0.0, 0.0), (0.8, 0.4), (0.2, 0.8), (-0.7, -0.4),
    (-0.6, 0.7), (-0.7, 0.3), (-0.6, 0.8), (-0.5, 0.1),
)
