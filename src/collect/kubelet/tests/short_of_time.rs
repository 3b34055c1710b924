//! More nodes than there is time for.

use kairos_doctor_checks::ALL;
use kairos_doctor_checks::engine::{self, Status};
use kairos_doctor_checks::facts::Facts;
use kairos_doctor_checks::facts::kubelet::LogProbe;

use super::*;

#[tokio::test]
async fn where_time_is_short_the_rest_is_not_called_healthy() {
    let ca = Authority::new("ca");
    let (leaf, key) = ca.sign(&params("worker", &["127.0.0.16"]));
    let acceptor = TlsAcceptor::from(Arc::new(config(vec![leaf], &key, None, false)));
    // The first eight are met at once, and nobody after them.
    let met = Arc::new(AtomicUsize::new(0));
    let port = raw("127.0.0.16", move |stream| {
        let (acceptor, number) = (acceptor.clone(), met.fetch_add(1, Relaxed));
        async move {
            tokio::spawn(async move {
                if number < 8
                    && let Ok(mut stream) = acceptor.accept(stream).await
                {
                    let _ = stream.read(&mut [0; 64]).await;
                } else {
                    std::future::pending::<()>().await;
                }
            });
        }
    })
    .await;
    let nodes: Vec<Node> =
        (0..600).map(|i| node(&format!("n{i:03}"), port, &[("InternalIP", "127.0.0.16")])).collect();
    let deadline = Deadline::after(Duration::from_secs(4));
    let kubelets = shake_hands(&nodes, std::slice::from_ref(&ca.root), deadline, |_| ()).await;
    assert!(!deadline.left().is_zero(), "there is time left for the rest of the run");
    let items = kubelets.downcast_ref::<Vec<Kubelet>>().unwrap();
    let seen = items.iter().filter(|item| item.certificate.is_some()).count();
    assert_eq!(seen, 8);
    assert!(items.len() < nodes.len(), "what was not tried has no item");

    let mut facts = Facts::new(jiff::Timestamp::now());
    facts.put(&Node::NEED, Ok(Node::NEED.join(vec![Arc::new(nodes)])));
    facts.put(&Kubelet::NEED, Ok(kubelets));
    facts.put(&LogProbe::NEED, Ok(LogProbe::NEED.join(Vec::new())));
    let report = engine::run(&facts, ALL);
    assert_eq!((report.cluster.kubelets, report.cluster.nodes), (Some(8), Some(600)));
    let of_kubelets = report.checks.iter().find(|checked| checked.check.code == "KD110").unwrap();
    assert_eq!(of_kubelets.status, Status::Unknown);
    let not_dialled = report.gaps.iter().filter(|hidden| hidden.gap.detail == "its kubelet was not dialled");
    assert!(not_dialled.clone().count() > 0);
    assert!(not_dialled.clone().all(|hidden| hidden.gap.remedy().contains("--timeout")));
}
