//! A pipeline that is built anew whenever it fails.

use std::convert::Infallible;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use gst::prelude::*;

use crate::video::failure;

/// Time before the second attempt; doubled with every further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest time between attempts: what comes back is found within five seconds, with two of them to get going.
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// A pipeline that has run for so long is sound: when it fails, the next attempt comes soon again.
const SOUND: Duration = Duration::from_secs(10);
/// How long a pipeline that is being taken down may hold up the end: the process must not end while it is at work in
/// libraries that tidy up as the process ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// What became of a line since it was last looked at.
#[derive(Debug)]
pub enum Event {
    /// It failed; the reason, and how long it waits before it tries again.
    Failed(anyhow::Error, Duration),
    /// What it plays has ended.
    Ended,
    /// It was built again.
    Back,
}

/// What a line is made of.
pub trait Build {
    /// Builds the pipeline, which is not running yet.
    ///
    /// # Errors
    /// If it cannot be built; another attempt may succeed.
    fn build(&mut self) -> anyhow::Result<gst::Pipeline>;

    /// Lets go of what belongs to a pipeline that is being taken down.
    fn forget(&mut self) {}
}

/// A pipeline that is built anew whenever it fails.
pub struct Line<B: Build> {
    /// What builds it.
    pub builder: B,
    state: State,
    wait: Duration,
    leaving: Leaving,
}

/// Pipelines that are being taken down: each has a sender, and lets go of it when it is gone.
struct Leaving {
    sender: Sender<Infallible>,
    receiver: Receiver<Infallible>,
}

enum State {
    Runs(gst::Pipeline, Instant),
    Waits(Instant),
    Over,
}

impl<B: Build> Line<B> {
    /// Builds the pipeline and lets it run.
    ///
    /// # Errors
    /// If it cannot be built now, at the first attempt.
    pub fn start(mut builder: B) -> anyhow::Result<Self> {
        let pipeline = builder.build()?;
        run(&pipeline);
        let (sender, receiver) = channel();
        Ok(Self {
            builder,
            state: State::Runs(pipeline, Instant::now()),
            wait: FIRST_WAIT,
            leaving: Leaving { sender, receiver },
        })
    }

    /// Sees to its messages, and builds it again when it is time.
    pub fn tend(&mut self) -> Option<Event> {
        match &self.state {
            State::Over => None,
            State::Waits(until) if Instant::now() < *until => None,
            State::Waits(_) => Some(match self.builder.build() {
                Ok(pipeline) => {
                    run(&pipeline);
                    self.state = State::Runs(pipeline, Instant::now());
                    Event::Back
                }
                Err(error) => self.fail(error),
            }),
            State::Runs(pipeline, _) => {
                let bus = pipeline.bus().expect("a pipeline has a bus");
                let mut errors = Vec::new();
                while let Some(message) = bus.pop() {
                    match message.view() {
                        gst::MessageView::Error(_) => errors.push(message),
                        gst::MessageView::Eos(_) => return Some(Event::Ended),
                        gst::MessageView::Latency(_) => {
                            // If it fails, the latency stays what it was.
                            let _ = pipeline.recalculate_latency();
                        }
                        _ => {}
                    }
                }
                (!errors.is_empty()).then(|| self.fail(failure::tell(&errors, "".as_ref())))
            }
        }
    }

    /// Takes it down for a reason of the caller's; it is built again after a while.
    pub fn fail(&mut self, error: anyhow::Error) -> Event {
        if let State::Runs(_, since) = self.state
            && since.elapsed() > SOUND
        {
            self.wait = FIRST_WAIT;
        }
        let wait = self.wait;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        self.take_down(State::Waits(Instant::now() + wait));
        Event::Failed(error, wait)
    }

    /// Takes it down to be built again at once.
    pub fn restart(&mut self) {
        self.take_down(State::Waits(Instant::now()));
    }

    /// Takes it down for good.
    pub fn end(&mut self) {
        self.take_down(State::Over);
    }

    /// Lets it rest, or go on.
    pub fn rest(&self, rests: bool) {
        if let State::Runs(pipeline, _) = &self.state {
            let state = if rests {
                gst::State::Paused
            } else {
                gst::State::Playing
            };
            // If it cannot, the reason is a message on its bus.
            let _ = pipeline.set_state(state);
        }
    }

    /// How long it has been running.
    pub fn runs_for(&self) -> Option<Duration> {
        match &self.state {
            State::Runs(_, since) => Some(since.elapsed()),
            _ => None,
        }
    }

    /// Waits until it has played what it has, for `patience` at most, and takes it down for good.
    pub fn finish(&mut self, patience: gst::ClockTime) {
        if let State::Runs(pipeline, _) = &self.state {
            let ends = [gst::MessageType::Eos, gst::MessageType::Error];
            let bus = pipeline.bus().expect("a pipeline has a bus");
            bus.timed_pop_filtered(patience, &ends);
        }
        self.end();
    }

    fn take_down(&mut self, state: State) {
        self.builder.forget();
        if let State::Runs(pipeline, _) = std::mem::replace(&mut self.state, state) {
            // A server that does not answer may hold a pipeline up; nothing here waits for that.
            let sender = self.leaving.sender.clone();
            thread::spawn(move || {
                let _ = pipeline.set_state(gst::State::Null);
                drop(pipeline);
                drop(sender);
            });
        }
    }
}

impl<B: Build> Drop for Line<B> {
    fn drop(&mut self) {
        self.builder.forget();
        if let State::Runs(pipeline, _) = &self.state {
            // The process is about to end.
            let _ = pipeline.set_state(gst::State::Null);
        }
        // Nothing is ever sent: this ends when all others have let go of theirs.
        self.leaving.sender = channel().0;
        let _ = self.leaving.receiver.recv_timeout(PATIENCE);
    }
}

/// If it does not start, the reason is a message on its bus.
fn run(pipeline: &gst::Pipeline) {
    let _ = pipeline.set_state(gst::State::Playing);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pipelines that fail, then play a little.
    struct Shaky {
        n_built: usize,
        n_forgotten: usize,
    }

    impl Build for Shaky {
        fn build(&mut self) -> anyhow::Result<gst::Pipeline> {
            self.n_built += 1;
            let text = match self.n_built {
                1 => "filesrc location=/nowhere/at-all ! fakesink",
                2 => anyhow::bail!("not yet"),
                _ => "videotestsrc num-buffers=2 ! fakesink",
            };
            let pipeline = gst::parse::launch(text)?;
            Ok(pipeline.downcast().expect("a pipeline"))
        }

        fn forget(&mut self) {
            self.n_forgotten += 1;
        }
    }

    /// A pipeline that takes a while to be taken down: one of its threads sleeps.
    struct Slow;

    impl Build for Slow {
        fn build(&mut self) -> anyhow::Result<gst::Pipeline> {
            let text = "fakesrc ! identity sleep-time=500000 ! fakesink";
            let pipeline = gst::parse::launch(text)?;
            Ok(pipeline.downcast().expect("a pipeline"))
        }
    }

    #[test]
    fn what_is_taken_down_is_gone_when_its_line_is() {
        gst::init().unwrap();
        let mut line = Line::start(Slow).unwrap();
        let State::Runs(pipeline, _) = &line.state else {
            panic!("it has not been started");
        };
        let pipeline = pipeline.downgrade();
        thread::sleep(Duration::from_millis(100));
        let start = Instant::now();
        line.end();
        assert!(start.elapsed() < Duration::from_millis(200));
        assert!(pipeline.upgrade().is_some());
        drop(line);
        assert!(pipeline.upgrade().is_none());
        assert!(start.elapsed() < PATIENCE);
    }

    #[test]
    fn what_fails_comes_back() {
        gst::init().unwrap();
        let mut line = Line::start(Shaky {
            n_built: 0,
            n_forgotten: 0,
        })
        .unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut events = Vec::new();
        while !matches!(events.last(), Some(Event::Ended)) && Instant::now() < deadline {
            events.extend(line.tend());
            thread::sleep(Duration::from_millis(5));
        }
        let told: Vec<String> = events.iter().map(|event| format!("{event:?}")).collect();
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(
            told[0].contains("/nowhere/at-all") && told[0].contains("500ms"),
            "{told:?}"
        );
        assert!(
            told[1].contains("not yet") && told[1].contains("1s"),
            "{told:?}"
        );
        assert_eq!(told[2..], ["Back", "Ended"]);
        assert_eq!(line.builder.n_forgotten, 2);
        line.end();
        assert!(line.tend().is_none());
    }
}
