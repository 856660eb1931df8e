// Package check reads the recipes as those do who run them. It is a module of
// its own: owoxhook does without what it needs.
package check

import (
	"bytes"
	"os"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
)

// The types of Kubernetes' API take every document, and know all of its fields.
func TestKubernetesKnowsEveryField(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, corev1.AddToScheme, policyv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	manifest, err := os.ReadFile("../kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var deployment *appsv1.Deployment
	var service *corev1.Service
	var budget *policyv1.PodDisruptionBudget
	for document := range bytes.SplitSeq(manifest, []byte("\n---\n")) {
		object, kind, err := decoder.Decode(document, nil, nil)
		switch object := object.(type) {
		case *appsv1.Deployment:
			deployment = object
		case *corev1.Service:
			service = object
		case *policyv1.PodDisruptionBudget:
			budget = object
		}
		if err != nil {
			t.Errorf("%v: %v", kind, err)
		}
	}
	if deployment == nil || service == nil || budget == nil {
		t.Fatalf("deployment %v, service %v, budget %v: want all three", deployment, service, budget)
	}
	pod := deployment.Spec.Template
	for _, selector := range []*metav1.LabelSelector{deployment.Spec.Selector, budget.Spec.Selector, {MatchLabels: service.Spec.Selector}} {
		if chosen, err := metav1.LabelSelectorAsSelector(selector); err != nil || !chosen.Matches(labels.Set(pod.Labels)) {
			t.Errorf("%v (%v) does not choose pods with %v", selector, err, pod.Labels)
		}
	}
	if got, want := pod.Spec.Containers[0].Ports[0].Name, service.Spec.Ports[0].TargetPort.String(); got != want {
		t.Errorf("the service goes to port %s, want %s", want, got)
	}
}

func TestComposeLoadsTheProject(t *testing.T) {
	options, err := cli.NewProjectOptions([]string{"../compose.yaml"}, cli.WithEnv([]string{"POSTGRES_PASSWORD=secret"}))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"relay-1", "relay-2"} {
		relay := project.Services[name]
		if at := relay.Networks["default"]; relay.Image == "" || len(relay.Command) == 0 || at == nil || at.Ipv4Address == "" {
			t.Errorf("%s is %+v, want an image, a command and an address", name, relay)
		}
	}
}
