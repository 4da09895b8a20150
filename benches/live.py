"""`impasto live` over time: delay, memory and counts of frames of a long run; sound beside picture; overload; rest.

    python -m venv venv && venv/bin/pip install matplotlib numpy
    cargo build --release
    venv/bin/python benches/live.py soak --seconds 600 --plot soak.png

Needs ffmpeg and what `./setup test` installs: GStreamer's tools, PipeWire, WirePlumber, dbus. Everything runs in a
PipeWire session of its own. Each measurement is a word:

soak      A camera made here sends film with the number of each frame in blocks, as a Gray code, through PipeWire;
          `impasto live` paints it; a viewer made here reads the number back from the painted frame. The delay is from
          the moment before the frame is handed to the camera's process to the moment after its painting has come out
          of the viewer's: PipeWire twice and both processes are in it, a lens and a screen are not. `--view srt` has
          H.264, SRT and its latency, and a decoder in the place of PipeWire on the way out. A number that no frame on
          its way has is a misread.
sync      A film whose picture flashes where its sound beeps goes to an SRT receiver: how far the first bright frame and
          the beginning of the beep are apart there, by the times that they bear.
overload  The test picture at 30 frames per second, with a program that burns each core for a while: what is
          said when, and frames per second.
rest      What it costs of a core while PipeWire is the only sink and nobody watches, and how long a client that comes
          waits for its first frame.
"""

import argparse
import collections
import fcntl
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
from live_session import Live, Session, free_port

FPS = 30
WIDTH, HEIGHT = 640, 360
FRAME = WIDTH * HEIGHT * 3 // 2
# Blocks in two rows: white, six bits; black, six bits. A sixth of the height each.
N_BITS = 12
BLOCK = HEIGHT // 6
CLIP = Path(__file__).parent.parent / "samples/media/bigbuckbunny.mp4"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("measurement", choices=["soak", "sync", "overload", "rest"])
    parser.add_argument("--impasto", default="target/release/impasto", help="the program to run")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--view", choices=["pipewire", "srt"], default="pipewire", help="where soak looks")
    parser.add_argument("--size", default="1920x1080", help="of overload")
    parser.add_argument("--plot", type=Path, help="PNG of soak")
    parser.epilog = "What follows `--` are further arguments of `impasto live`."
    words = sys.argv[1:]
    at = words.index("--") if "--" in words else len(words)
    arguments = parser.parse_args(words[:at])
    arguments.more = words[at + 1 :]
    with Session() as session:
        globals()[arguments.measurement](session, arguments)


class Camera:
    """Sends film with numbers through PipeWire, and keeps when each frame was sent."""

    def __init__(self, session):
        scaled = f"-vf scale={WIDTH}:{HEIGHT},fps={FPS} -frames:v 300 -f rawvideo -pix_fmt yuv420p -"
        command = f"ffmpeg -v error -i {CLIP} {scaled}"
        film = subprocess.run(command.split(), stdout=subprocess.PIPE, check=True).stdout
        self.film = np.frombuffer(film, np.uint8).reshape(-1, FRAME)
        raw = f"rawvideoparse format=i420 width={WIDTH} height={HEIGHT} framerate={FPS}/1"
        names = "media.class=Video/Source,media.role=Camera,node.name=numbers,node.description=Numbers"
        # Converting, if only from I420 to I420, has the sink's buffers ready before a client comes.
        self.process = session.gst(
            f"fdsrc do-timestamp=true blocksize={FRAME} ! {raw} ! videoconvert"
            f" ! pipewiresink mode=provide sync=false stream-properties=props,{names}",
            stdin=subprocess.PIPE,
            bufsize=0,
        )
        widen(self.process.stdin)
        self.sent = {}
        self.n_sent = 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        due = time.monotonic()
        while True:
            time.sleep(max(0, due - time.monotonic()))
            # What is late is not caught up with: cameras send no bursts, and PipeWire's sink gets stuck in them.
            due = max(due, time.monotonic() - 0.5 / FPS) + 1 / FPS
            frame = self.film[self.n_sent % len(self.film)].copy()
            write_number(frame, self.n_sent)
            self.sent[self.n_sent] = time.monotonic()
            self.n_sent += 1
            view = memoryview(frame)
            try:
                while view:
                    view = view[self.process.stdin.write(view) :]
            except BrokenPipeError:
                # The end.
                return
            self.sent.pop(self.n_sent - 600, None)


class Viewer:
    """Reads numbers back from painted frames."""

    def __init__(self, session, pipeline, camera):
        convert = f"videoconvert ! video/x-raw,format=I420,width={WIDTH},height={HEIGHT} ! fdsink sync=false"
        self.process = session.gst(f"{pipeline} ! {convert}", stdout=subprocess.PIPE, bufsize=0)
        widen(self.process.stdout)
        self.camera = camera
        # Time of arrival, and delay; nothing where it was misread.
        self.frames = collections.deque()
        self.n_misread = 0
        self.last = 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        frame = bytearray(FRAME)
        while True:
            view = memoryview(frame)
            while view:
                n_bytes = self.process.stdout.readinto(view)
                if not n_bytes:
                    return
                view = view[n_bytes:]
            self.look(np.frombuffer(frame, np.uint8), time.monotonic())

    def look(self, frame, now):
        # The number is known up to a multiple of what the blocks can hold.
        newest = self.camera.n_sent - 1
        number = newest - (newest - read_number(frame)) % (1 << N_BITS)
        # A frame cannot overtake another, nor wait for ten seconds.
        if self.last <= number and number in self.camera.sent and newest - number < 10 * FPS:
            self.last = number
            self.frames.append((now, now - self.camera.sent[number]))
        else:
            self.n_misread += 1
            self.frames.append((now, None))


def widen(pipe):
    """Lets a whole frame lie in a pipe, and not two."""
    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 1 << (FRAME - 1).bit_length())


def blocks(frame):
    """Block by block the luma of a frame, as it lies."""
    luma = frame[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH)
    for row in range(2):
        for column in range(1 + N_BITS // 2):
            yield luma[row * BLOCK : (row + 1) * BLOCK, column * BLOCK : (column + 1) * BLOCK]


def write_number(frame, number):
    number %= 1 << N_BITS
    gray = number ^ number >> 1
    bits = [gray >> at & 1 for at in range(N_BITS)]
    for block, is_white in zip(blocks(frame), [1, *bits[:6], 0, *bits[6:]]):
        block[:] = 220 if is_white else 30


def read_number(frame):
    edge = BLOCK // 4
    means = [block[edge:-edge, edge:-edge].mean() for block in blocks(frame)]
    white, black = means.pop(0), means.pop(6)
    number = sum(int(mean > (white + black) / 2) << at for at, mean in enumerate(means))
    for shift in (1, 2, 4, 8):
        number ^= number >> shift
    return number


def soak(session, arguments):
    camera = Camera(session)
    session.node("Numbers")
    port = free_port()
    sinks = ["--to", "pipewire"] if arguments.view == "pipewire" else ["--to", f"srt://:{port}?mode=listener"]
    words = ["--from", "pipewire:numbers", "--audio", "none", "--quality", "fast", *sinks]
    live = Live(session, arguments, words)
    if arguments.view == "pipewire":
        pipeline = f"pipewiresrc path={session.node('Impasto')}"
    else:
        live.wait_for("painting")
        time.sleep(1)
        pipeline = (
            f"srtsrc uri=srt://127.0.0.1:{port} latency=40 ! tsdemux ! h264parse ! avdec_h264 max-threads=1"
        )
    viewer = Viewer(session, pipeline, camera)
    memory = []
    begin = time.monotonic()
    while time.monotonic() - begin < arguments.seconds and live.child.poll() is None:
        time.sleep(1)
        memory.append((time.monotonic() - begin, live.memory()))
    # The first seconds are those of starting.
    frames = [(at - begin, delay) for at, delay in viewer.frames if at - begin > 5]
    delays = [(at, 1000 * delay) for at, delay in frames if delay is not None]
    for name, part in parts(delays, arguments.seconds):
        print(f"delay {name}: {tell(part)}")
    print(
        f"frames seen {len(frames)}, {len(frames) / (frames[-1][0] - frames[0][0]):.2f} per second,"
        f" misread {viewer.n_misread}"
    )
    print(f"memory after 60 s {at_time(memory, 60):.1f} MB, at the end {memory[-1][1]:.1f} MB")
    print(json.dumps(live.meters[-1]))
    if arguments.plot:
        plot(arguments.plot, memory, delays, live.meters, viewer.n_misread)


def parts(delays, seconds):
    """All, then minute by minute."""
    yield "all", [delay for _, delay in delays]
    for start in range(0, seconds, 60):
        part = [delay for at, delay in delays if start <= at < start + 60]
        if len(part) > 100:
            yield f"minute {start // 60 + 1}", part


def tell(delays):
    median, p99 = np.percentile(delays, [50, 99])
    return f"median {median:.1f} ms, p99 {p99:.1f} ms, most {max(delays):.1f} ms, {len(delays)} frames"


def at_time(values, time_s):
    return next((value for at, value in values if at >= time_s), values[-1][1])


def plot(path, memory, delays, meters, n_misread):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (upper, middle, lower) = plt.subplots(3, 1, figsize=(10, 10), sharex=True, layout="constrained")
    upper.plot(*zip(*memory))
    upper.set(ylabel="resident memory (MB)", ylim=(0, None))
    middle.plot(*zip(*delays), ".", markersize=1, alpha=0.4, label="a frame")
    whole = range(int(delays[0][0]), int(delays[-1][0]), 10)
    tens = [[delay for at, delay in delays if start <= at < start + 10] for start in whole]
    for share, name in ((50, "median of 10 s"), (99, "p99 of 10 s")):
        middle.step(
            whole, [np.percentile(part, share) if part else np.nan for part in tens], where="post", label=name
        )
    middle.set(ylabel="delay (ms)", ylim=(0, None))
    middle.set_title(f"{len(delays)} frames read, {n_misread} misread", fontsize="medium")
    middle.legend(loc="upper right")
    for name, of in COUNTS.items():
        dash = "--" if name == "painted" else "-"
        lower.plot([found["seconds"] for found in meters], [of(found) for found in meters], dash, label=name)
    lower.set(xlabel="time (s)", ylabel="frames since the start")
    lower.legend(loc="upper left")
    for panel in (upper, middle, lower):
        panel.grid(alpha=0.3)
    figure.savefig(path, dpi=100)


COUNTS = {
    "in": lambda found: found["frames_in"],
    "out": lambda found: found["frames_out"],
    "painted": lambda found: found["frames_in"]
    - found["frames_left_out"]
    - found["frames_unwatched"]
    - found["frames_reused"],
    "reused": lambda found: found["frames_reused"],
    "dropped": lambda found: found["frames_left_out"],
}


def sync(session, arguments):
    film = Path(session.folder.name, "flashes.mkv")
    flash = "drawbox=c=white:t=fill:enable='lt(mod(n,45),6)*gt(n,9)'"
    picture = f"testsrc2=s={WIDTH}x{HEIGHT}:r={FPS},lutyuv=y=val/4,{flash}"
    sound = "aevalsrc=s=48000:exprs='if(lt(mod(t,1.5),0.2)*gt(t,0.3),0.5*sin(2*PI*1000*t),0)'"
    command = (
        f"ffmpeg -v error -f lavfi -i {picture} -f lavfi -i {sound} -t {arguments.seconds + 30} -c:v libx264"
    )
    subprocess.run([*command.split(), "-preset", "veryfast", "-c:a", "pcm_s16le", film], check=True)
    port, received = free_port(), Path(session.folder.name, "received.ts")
    words = ["--from", film, "--to", f"srt://:{port}?mode=listener", "--quality", "fast"]
    live = Live(session, arguments, words)
    live.wait_for("painting")
    time.sleep(2)
    viewer = session.gst(
        f"srtsrc uri=srt://127.0.0.1:{port} ! filesink buffer-mode=unbuffered location={received}"
    )
    time.sleep(arguments.seconds)
    viewer.kill()
    frames = probe(f"movie={received},signalstats", "lavfi.signalstats.YAVG")
    pieces = probe(
        f"amovie={received},asetnsamples=n=48,astats=metadata=1:reset=1", "lavfi.astats.Overall.RMS_level"
    )
    levels = [value for _, value in frames]
    flashes = rises(frames, (min(levels) + max(levels)) / 2)
    beeps = rises(pieces, -20)
    apart = []
    for flash in flashes:
        beep = min(beeps, key=lambda beep: abs(beep - flash))
        # At the ends of what was received there may be one without the other.
        if abs(beep - flash) < 0.7:
            apart.append(1000 * (beep - flash))
    print("sound after picture, ms:", " ".join(f"{value:+.1f}" for value in apart))
    print(
        f"{len(apart)} flashes: median {statistics.median(apart):+.1f} ms,"
        f" from {min(apart):+.1f} to {max(apart):+.1f} ms"
    )
    print(json.dumps(live.meters[-1]))


def probe(graph, tag):
    """Times and values of what comes out of a graph of ffmpeg's filters."""
    command = [
        "ffprobe",
        "-v",
        "fatal",
        "-f",
        "lavfi",
        graph,
        "-show_entries",
        f"frame=pts_time:frame_tags={tag}",
    ]
    text = subprocess.run([*command, "-of", "csv=p=0"], stdout=subprocess.PIPE, check=True).stdout.decode()
    return [tuple(map(float, line.split(",")[:2])) for line in text.split()]


def rises(values, limit):
    return [time for (_, before), (time, value) in zip(values, values[1:]) if before <= limit < value]


def overload(session, arguments):
    words = [
        "--from",
        "test",
        "--size",
        arguments.size,
        "--fps",
        str(FPS),
        "--audio",
        "none",
        "--to",
        "pipewire",
    ]
    live = Live(session, arguments, words)
    # Of each frame a corner, so that looking costs nothing.
    width, height = map(int, arguments.size.split("x"))
    crop = f"videocrop right={width - 16} bottom={height - 16} ! video/x-raw,width=16,height=16"
    viewer = session.gst(
        f"pipewiresrc path={session.node('Impasto')} ! {crop} ! videoconvert ! video/x-raw,format=GRAY8"
        " ! fdsink sync=false",
        stdout=subprocess.PIPE,
    )
    times = []

    def look():
        while viewer.stdout.read(16 * 16):
            times.append(time.monotonic() - live.start)

    threading.Thread(target=look, daemon=True).start()
    marks = [("alone", time.monotonic() - live.start)]
    time.sleep(arguments.seconds)
    marks.append(("both cores burn", time.monotonic() - live.start))
    burners = [session.start([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count())]
    time.sleep(arguments.seconds)
    for burner in burners:
        burner.kill()
    marks.append(("alone again", time.monotonic() - live.start))
    time.sleep(arguments.seconds)
    marks.append(("end", time.monotonic() - live.start))
    for at, line in sorted([*((at, f"--- {name}") for name, at in marks), *live.lines]):
        print(f"{at:7.2f} s  {line}")
    for (name, start), (_, end) in zip(marks, marks[1:]):
        seconds = [
            sum(at <= found < at + 1 for found in times)
            for at in (start + at for at in range(int(end - start)))
        ]
        print(f"{name}: frames of each second {seconds}")
    print(json.dumps(live.meters[-1]))


def rest(session, arguments):
    words = ["--from", "test", "--quality", "fast", "--audio", "none", "--to", "pipewire"]
    live = Live(session, arguments, words)
    node = session.node("Impasto")
    live.wait_for("nobody watches")
    time.sleep(1.5)
    before, start = live.cpu(), time.monotonic()
    time.sleep(15)
    share = (live.cpu() - before) / (time.monotonic() - start)
    print(f"{100 * share:.1f} % of a core")
    for wait in (1, 5, 5, 14, 14):
        viewer = session.gst(
            f"pipewiresrc path={node} num-buffers={FPS} ! videoconvert ! fdsink sync=false",
            stdout=subprocess.PIPE,
        )
        start = time.monotonic()
        viewer.stdout.read(1)
        first = time.monotonic() - start
        viewer.stdout.read()
        viewer.wait()
        print(f"first frame {1000 * first:.0f} ms after the client was started")
        time.sleep(wait)
    for at, line in live.lines:
        print(f"{at:7.2f} s  {line}")


if __name__ == "__main__":
    main()
