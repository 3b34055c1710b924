// Command fields writes how the Kubernetes API encodes its built-in objects, as the struct tags of k8s.io/api say.
//
// One line for each field: message, number, name in JSON, what it holds, and how it is left out (`pointer`: nil is absent;
// `empty`: JSON leaves out the zero value, which protobuf writes; `always`: both write it).
package main

import (
	"bufio"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	networking "k8s.io/api/networking/v1"
	rbac "k8s.io/api/rbac/v1"
	storage "k8s.io/api/storage/v1"
	extensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	registration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

var roots = []any{
	core.PodList{}, core.NodeList{}, core.NamespaceList{}, core.ServiceList{}, core.EventList{},
	discovery.EndpointSliceList{}, apps.DeploymentList{}, apps.DaemonSetList{}, batch.JobList{},
	networking.IngressList{}, rbac.RoleList{}, rbac.ClusterRoleList{}, rbac.RoleBindingList{},
	rbac.ClusterRoleBindingList{}, storage.StorageClassList{}, storage.CSIDriverList{}, storage.CSINodeList{},
	extensions.CustomResourceDefinitionList{}, registration.APIServiceList{}, meta.Status{},
}

// What is written otherwise than its Go struct looks.
var special = map[string]string{
	"v1.Time": "Time", "v1.MicroTime": "MicroTime", "v1.Duration": "Duration", "resource.Quantity": "Quantity",
	"intstr.IntOrString": "IntOrString", "v1.FieldsV1": "FieldsV1", "runtime.RawExtension": "RawExtension", "v1.CustomResourceValidation": "schema",
}

var seen = map[reflect.Type]bool{}
var lines []string

// `core/v1.Pod`
func name(t reflect.Type) string {
	parts := strings.Split(t.PkgPath(), "/")
	return strings.Join(parts[len(parts)-2:], "/") + "." + t.Name()
}

func holds(t reflect.Type) string {
	if name, ok := special[t.String()]; ok {
		return name
	}
	switch t.Kind() {
	case reflect.Pointer:
		return holds(t.Elem())
	case reflect.Struct:
		walk(t)
		return name(t)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		if t.Name() != "" {
			return "items:" + t.String()
		}
		return "repeated " + holds(t.Elem())
	case reflect.Map:
		return "map " + holds(t.Elem())
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int32, reflect.Int64, reflect.Int, reflect.Uint32, reflect.Uint8, reflect.Uint64:
		return "int"
	default:
		return "other:" + t.String()
	}
}

func walk(t reflect.Type) {
	if seen[t] {
		return
	}
	seen[t] = true
	for i := 0; i < t.NumField(); i++ {
		field := t.Field(i)
		tag, json := field.Tag.Get("protobuf"), field.Tag.Get("json")
		if tag == "" {
			continue
		}
		number := strings.Split(tag, ",")[1]
		key, options, _ := strings.Cut(json, ",")
		if strings.Contains(options, "inline") {
			key = "<inline>"
		}
		left := "always"
		if field.Type.Kind() == reflect.Pointer {
			left = "pointer"
		} else if strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero") {
			left = "empty"
		}
		lines = append(lines, fmt.Sprintf("%s %s %s %s %s", name(t), number, key, strings.ReplaceAll(holds(field.Type), " ", ":"), left))
	}
}

func main() {
	for _, root := range roots {
		walk(reflect.TypeOf(root))
	}
	sort.Strings(lines)
	out := bufio.NewWriter(os.Stdout)
	fmt.Fprintln(out, "# How the Kubernetes API encodes its built-in objects: message, number, name in JSON, what the field holds, and whether JSON")
	fmt.Fprintln(out, "# leaves it out. Made by main.go here: `go mod tidy && go run . >fields.txt`, of k8s.io/api 0.35.4.")
	for _, line := range lines {
		fmt.Fprintln(out, line)
	}
	out.Flush()
}
