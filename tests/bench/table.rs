//! The figures as a Markdown table, with what they mean.

use std::fmt;
use std::fmt::Write;
use std::time::Duration;

use crate::Kind;
use crate::measured::Run;

/// One kind of run on one cluster.
pub struct Row {
    pub nodes: usize,
    pub kind: Kind,
    pub requests: usize,
    pub handshakes: usize,
    /// Bodies as sent, and as unpacked.
    pub bytes: usize,
    pub unpacked: usize,
    pub doctor: Run,
    /// Plain GETs of the same paths.
    pub gets: Run,
    /// The same without compression.
    pub large: Run,
    /// Of the form that the doctor asks for.
    pub alike: Run,
    /// The same with the handshakes, where the doctor makes some.
    pub both: Option<Run>,
    /// What else one does with a cluster; of lists alone nobody does.
    pub more: Option<More>,
}

/// What is published: under pseudonyms, as is the default.
pub struct More {
    pub markdown: Run,
    /// `collect` into a compressed file of so many bytes, and a report of that.
    pub collect: Run,
    pub bytes: u64,
    pub from: Run,
}

const HEAD: &str = "\
# What a run costs

Made by `cargo bench --profile dist --bench scale -- --write`, of the program as it is shipped, on generated clusters: for each node 10 pods, 2 Services with EndpointSlice
and Deployment, and 4 warnings; the first 2,000 nodes are Hetzner servers, the others dedicated ones; a load balancer for each 25
nodes. With 5,000 nodes that is 50,000 pods, 10,000 Services (200 of type LoadBalancer), 20,000 events and 2,000 servers. Every
object is as heavy as real ones are. The simulator serves it over TLS from another process of the same machine, its answers
made and compressed beforehand; so there is no network in these figures, and no time in which a server thinks: what is hidden
behind both with a real server stands here in full; [benchmark-real.md](benchmark-real.md) has the figures against one.

- *plain*: a client with the same TLS stack that asks for exactly the paths that the doctor asked for, all lists at once,
  the pages of a list one after the other as their tokens allow no other way, unpacks the answers and throws them away
  unread. `GETs` asks for JSON, as everybody who does not decode protobuf; `uncompressed` does not ask for compression, as
  `curl` does not: more goes over the wire, which is memory here, and nothing has to be unpacked; `as protobuf` asks for lists in
  the form in which the doctor asks for them. `GETs` makes no handshakes with kubelets; `+ handshakes` makes the doctor's, at once with the lists, since it knows
  all addresses beforehand.
- *lists*: `--skip KD110,KD112`, so that the doctor makes no handshakes either: the fair comparison of reading.
- *everything*: to be compared with the GETs and handshakes. Beside the GETs alone it shows what a handshake costs: elliptic
  curves, on both sides of this one machine.
- *all broken*: the same with something wrong at every node and every load balancer. It asks for nothing more.
- Times are those of whole processes, from start to end; CPU is user and system time; of each figure the median.
";

/// The table, with its explanation.
pub fn table(rows: &[Row], runs: usize) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut text = format!(
        "{HEAD}\nMedian of {runs} runs on {cores} cores, of which the simulator needs its share.\n\n"
    );
    text += "| nodes | run | requests | handshakes | MB sent | MB of JSON | MB of protobuf | doctor ms | plain GETs ms | ratio | uncompressed ms | ratio | \
             as protobuf ms | ratio | GETs + handshakes ms | ratio | doctor's CPU ms | plain CPU ms | doctor's CPU ms a node | doctor's peak MiB |\n";
    text += "|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";
    for row in rows {
        writeln!(text, "{row}").expect("a string takes every write");
    }
    text += MORE;
    for row in rows {
        let Some(more) = &row.more else { continue };
        let figures = [&more.markdown, &more.collect, &more.from]
            .map(|run| format!("{} | {:.1}", ms(run.wall), mib(run)));
        let [markdown, collect, from] = figures;
        let (run, kb) = (row.kind, more.bytes.div_ceil(1000));
        writeln!(text, "| {} | {run} | {markdown} | {collect} | {kb} | {from} |", row.nodes)
            .expect("a string takes every write");
    }
    text
}

const MORE: &str = "
What is to be published is put under pseudonyms, which is time of the doctor's own; a recording is written and read object by
object, whatever its size. One run each.

| nodes | run | `-o markdown` ms | peak MiB | `collect` ms | peak MiB | kB of `.json.gz` | `--from` ms | peak MiB |
|--:|---|--:|--:|--:|--:|--:|--:|--:|
";

fn ms(time: Duration) -> String {
    format!("{:.0}", time.as_secs_f64() * 1e3)
}

fn mib(run: &Run) -> f64 {
    run.peak_kib as f64 / 1024.0
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Lists => "lists",
            Kind::Whole => "everything",
            Kind::Broken => "all broken",
        })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mb = |bytes: usize| bytes as f64 / 1e6;
        let ratio = |run: &Run| format!("{:.2}", self.doctor.wall.as_secs_f64() / run.wall.as_secs_f64());
        let both = self.both.as_ref();
        write!(
            f,
            "| {} | {} | {} | {} | {:.2} | {:.1} | {:.1} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.2} | {:.1} |",
            self.nodes,
            self.kind,
            self.requests,
            self.handshakes,
            mb(self.bytes),
            mb(self.unpacked),
            mb(self.alike.out.parse().expect("it prints how much it read")),
            ms(self.doctor.wall),
            ms(self.gets.wall),
            ratio(&self.gets),
            ms(self.large.wall),
            ratio(&self.large),
            ms(self.alike.wall),
            ratio(&self.alike),
            both.map_or("–".into(), |run| ms(run.wall)),
            both.map_or("–".into(), ratio),
            ms(self.doctor.cpu),
            ms(both.unwrap_or(&self.gets).cpu),
            self.doctor.cpu.as_secs_f64() * 1e3 / self.nodes as f64,
            mib(&self.doctor),
        )
    }
}
