"""Writes whisper-mel.json: every 23rd frame of Hugging Face's WhisperFeatureExtractor (transformers 5.17.0, numpy 2.4.6) on a made-up sound.

Usage: python whisper_mel.py > whisper-mel.json
"""
import json
import sys

import numpy as np
from transformers import WhisperFeatureExtractor


def sound(count):
    """A chirp, a tone, and noise from integers, so that any language makes the same."""
    t, noise, state = np.arange(count), np.empty(count), 1
    for i in range(count):
        state = (state * 1103515245 + 12345) % 2147483648
        noise[i] = state / 2147483648 - 0.5
    return (0.4 * np.sin(2 * np.pi * (200 + 0.05 * t) * t / 16000) + 0.2 * np.sin(2 * np.pi * 1234.5 * t / 16000) + 0.05 * noise).astype(np.float32)


cases = []
for name, settings, count in [
    ("with 80 bands", dict(feature_size=80, chunk_length=1), 9600),
    ("with 16 bands, of a whole chunk", dict(feature_size=16, chunk_length=1), 16000),
    ("with 128 bands, of a sound that is cut", dict(feature_size=128, chunk_length=1), 20000),
    ("with frames of 510", dict(feature_size=24, chunk_length=1, n_fft=510, hop_length=200), 7000),
]:
    extractor = WhisperFeatureExtractor(**settings)
    features = extractor(sound(count), sampling_rate=16000, return_tensors="np")["input_features"][0]
    frames = list(range(0, features.shape[1], 23)) + [features.shape[1] - 1]
    cases.append(dict(name=name, features=extractor.feature_size, fftLength=extractor.n_fft, hop=extractor.hop_length, samples=extractor.n_samples, sound=count, shape=list(features.shape), frames=frames, values=[[round(float(v), 6) for v in features[:, f]] for f in frames]))
json.dump(cases, sys.stdout, separators=(",", ":"))
