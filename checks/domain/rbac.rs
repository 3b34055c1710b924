//! What a ServiceAccount may do, by Kubernetes' own roles. Other authorizers, where there are any, may allow more.
//!
//! Source: kubernetes `plugin/pkg/auth/authorizer/rbac` (`rule.go`: groups of a ServiceAccount, wildcards, resource names).

use crate::ObjectRef;
use crate::facts::kubernetes::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject};
use crate::facts::{Facts, Kind, Known};

/// A ServiceAccount.
pub struct Account {
    pub namespace: String,
    pub name: String,
}

/// The rules that hold for it, and where they come from.
#[derive(Default)]
pub struct Rules<'a> {
    pub rules: Vec<&'a PolicyRule>,
    /// ClusterRoles (or Roles) that are bound to it.
    pub roles: Vec<ObjectRef>,
}

impl Account {
    pub fn reference(&self) -> ObjectRef {
        ObjectRef::new("ServiceAccount", Some(&self.namespace), &self.name)
    }

    /// The subject of a binding is this account, or a group that it is in.
    fn is(&self, subject: &Subject, namespace: Option<&str>) -> bool {
        match &*subject.kind {
            "ServiceAccount" => {
                let of = subject.namespace.as_deref().or(namespace);
                *subject.name == *self.name && of == Some(&*self.namespace)
            }
            "Group" => {
                let own = format!("system:serviceaccounts:{}", self.namespace);
                ["system:serviceaccounts", "system:authenticated", &*own].contains(&&*subject.name)
            }
            "User" => *subject.name == *format!("system:serviceaccount:{}:{}", self.namespace, self.name),
            _ => false,
        }
    }

    /// What it may do in every namespace.
    ///
    /// # Errors
    /// The gap of ClusterRoles or their bindings.
    pub fn everywhere<'a>(&self, facts: &'a Facts) -> Known<Rules<'a>> {
        let roles = facts.all::<ClusterRole>()?;
        let mut all = Rules::default();
        for binding in facts.all::<ClusterRoleBinding>()? {
            if binding.subjects.iter().any(|subject| self.is(subject, None))
                && let Some(role) = roles.iter().find(|role| role.metadata.name == binding.role_ref.name)
            {
                all.rules.extend(&role.rules);
                all.roles.push(role.reference());
            }
        }
        Ok(all)
    }

    /// What it may do in one namespace beside that.
    ///
    /// # Errors
    /// The gap of roles or their bindings.
    pub fn within<'a>(&self, facts: &'a Facts, namespace: &str) -> Known<Rules<'a>> {
        let (roles, cluster_roles) = (facts.all::<Role>()?, facts.all::<ClusterRole>()?);
        let mut all = Rules::default();
        for binding in facts.all::<RoleBinding>()? {
            let of = binding.metadata.namespace.as_deref();
            if of != Some(namespace) || !binding.subjects.iter().any(|subject| self.is(subject, of)) {
                continue;
            }
            let name = &binding.role_ref.name;
            if binding.role_ref.kind == "ClusterRole" {
                let role = cluster_roles.iter().find(|role| role.metadata.name == *name);
                all.rules.extend(role.into_iter().flat_map(|role| &role.rules));
                all.roles.extend(role.map(Kind::reference));
            } else {
                let here =
                    |role: &&Role| role.metadata.name == *name && role.metadata.namespace.as_deref() == of;
                let role = roles.iter().find(here);
                all.rules.extend(role.into_iter().flat_map(|role| &role.rules));
                all.roles.extend(role.map(Kind::reference));
            }
        }
        Ok(all)
    }
}

impl Rules<'_> {
    /// Some rule allows it for objects of any name; `group` is `None` for whichever. `nodes/status` is a resource with its
    /// subresource.
    pub fn allow(&self, verb: &str, group: Option<&str>, resource: &str) -> bool {
        let any = |list: &[crate::facts::Text], item: &str| list.iter().any(|one| one == item || *one == "*");
        self.rules.iter().any(|rule| {
            let fits_resource = rule.resources.iter().any(|one| {
                let status = resource.split_once('/').map(|(_, sub)| format!("*/{sub}"));
                *one == "*" || one == resource || status.is_some_and(|status| *one == *status)
            });
            fits_resource
                && rule.resource_names.is_empty()
                && any(&rule.verbs, verb)
                && group.is_none_or(|group| any(&rule.api_groups, group))
        })
    }
}
