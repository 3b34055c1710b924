//! Which kubeconfig: `--kubeconfig`, `$KUBECONFIG`, `~/.kube/config`, in the order of kubectl.

use std::path::{Path, PathBuf};

use kube::config::{Kubeconfig, KubeconfigError};

use super::{Options, SetupError, Surroundings};

pub(super) struct Found {
    pub config: Kubeconfig,
    /// The files it came from, for sentences.
    pub place: String,
}

/// The kubeconfig; `None` when there is none and a service account may be used.
///
/// # Errors
/// When one was named, or is there, and cannot be read.
pub(super) fn kubeconfig(
    options: &Options,
    surroundings: &Surroundings,
) -> Result<Option<Found>, SetupError> {
    if let Some(file) = &options.kubeconfig {
        return match read(file)? {
            Some(config) => Ok(Some(Found { config, place: file.display().to_string() })),
            None => Err(SetupError::new(format!("--kubeconfig {}: there is no such file", file.display()))),
        };
    }
    let files = candidates(surroundings);
    let mut found: Option<Found> = None;
    for file in &files {
        let Some(config) = read(file)? else { continue };
        let shown = file.display();
        found = Some(match found {
            None => Found { config, place: shown.to_string() },
            Some(earlier) => Found {
                place: format!("{}, {shown}", earlier.place),
                config: earlier.config.merge(config).map_err(|e| SetupError::new(format!("{shown}: {e}")))?,
            },
        });
    }
    // An empty file says nothing, and hides no service account.
    let found = found.filter(|f| !f.config.contexts.is_empty() || !f.config.clusters.is_empty());
    if found.is_some() || (options.context.is_none() && super::in_cluster::is_pod(surroundings)) {
        return Ok(found);
    }
    Err(none_anywhere(surroundings, &files))
}

fn candidates(surroundings: &Surroundings) -> Vec<PathBuf> {
    if let Some(list) = surroundings.var(&["KUBECONFIG"]) {
        let files: Vec<PathBuf> =
            std::env::split_paths(list).filter(|file| !file.as_os_str().is_empty()).collect();
        if !files.is_empty() {
            return files;
        }
    }
    surroundings.var(&["HOME"]).map(|home| Path::new(home).join(".kube/config")).into_iter().collect()
}

fn none_anywhere(surroundings: &Surroundings, files: &[PathBuf]) -> SetupError {
    let tried: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let tried = match (tried.is_empty(), surroundings.var(&["KUBECONFIG"]).is_some()) {
        (true, _) => "$KUBECONFIG and $HOME are not set".to_owned(),
        (false, true) => format!("tried $KUBECONFIG ({})", tried.join(", ")),
        (false, false) => format!("tried {}", tried.join(", ")),
    };
    SetupError::new(format!(
        "no kubeconfig found: {tried}; name one with --kubeconfig (on a k3s server: /etc/rancher/k3s/k3s.yaml)"
    ))
}

/// One file; `None` when it is not there.
fn read(file: &Path) -> Result<Option<Kubeconfig>, SetupError> {
    let shown = file.display();
    match Kubeconfig::read_from(file) {
        Ok(config) => Ok(Some(config)),
        Err(KubeconfigError::ReadConfig(e, _)) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(KubeconfigError::ReadConfig(e, _)) => Err(SetupError::new(format!(
            "kubeconfig {shown} cannot be read: {e}; name another one with --kubeconfig"
        ))),
        // The parser's message may quote the file, which holds credentials: only the place is told.
        Err(KubeconfigError::Parse(e)) => {
            let place = e.location().map(|at| format!(" (line {}, column {})", at.line(), at.column()));
            Err(SetupError::new(format!(
                "{shown} is not a kubeconfig: it cannot be parsed as YAML{}; name another one with --kubeconfig",
                place.unwrap_or_default()
            )))
        }
        Err(e) => Err(SetupError::new(format!("kubeconfig {shown}: {e}"))),
    }
}
