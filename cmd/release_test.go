package cmd

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// readYAML reads a file at the top of the module.
func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// What signs needs GitHub, so that only its workflow can be checked elsewhere.
func TestReleaseIsSignedAndAttested(t *testing.T) {
	var workflow struct {
		Permissions map[string]string
		Jobs        map[string]struct {
			Permissions map[string]string
			Steps       []struct{ Uses, Run string }
		}
	}
	readYAML(t, ".github/workflows/release.yml", &workflow)
	if len(workflow.Permissions) > 0 {
		t.Errorf("every job has %v, want permissions a job", workflow.Permissions)
	}
	for name, want := range map[string]struct{ permissions, steps []string }{
		"release": {
			[]string{"attestations: write", "contents: write", "id-token: write"},
			[]string{"sigstore/cosign-installer", "goreleaser/goreleaser-action", "actions/attest-build-provenance", "cosign verify-blob"},
		},
		"npm": {
			[]string{"id-token: write"},
			[]string{"npm publish --access public --provenance"},
		},
		"image": {
			[]string{"attestations: write", "contents: read", "id-token: write", "packages: write"},
			[]string{".github/image", "cosign sign", "actions/attest-build-provenance"},
		},
	} {
		job := workflow.Jobs[name]
		var got []string
		for scope, level := range job.Permissions {
			got = append(got, scope+": "+level)
		}
		if slices.Sort(got); !slices.Equal(got, want.permissions) {
			t.Errorf("job %s has %q, want %q", name, got, want.permissions)
		}
		for _, word := range want.steps { // in this order
			at := slices.IndexFunc(job.Steps, func(step struct{ Uses, Run string }) bool { return strings.Contains(step.Uses+step.Run, word) })
			if at < 0 {
				t.Fatalf("job %s: no step %s where it is wanted", name, word)
			}
			job.Steps = job.Steps[at:]
		}
	}
	var release struct {
		Signs []struct{ Cmd, Artifacts string }
	}
	readYAML(t, ".goreleaser.yaml", &release)
	if len(release.Signs) != 1 || release.Signs[0].Cmd != "cosign" || release.Signs[0].Artifacts != "checksum" {
		t.Errorf("goreleaser signs %v, want the checksums, with cosign", release.Signs)
	}
}

// Debian's zsh searches another directory than those of other systems.
func TestPackagesHaveCompletionsWhereZshSearches(t *testing.T) {
	var release struct {
		NFPMs []struct {
			Contents []struct{ Src, Dst, Packager string }
		} `yaml:"nfpms"`
	}
	readYAML(t, ".goreleaser.yaml", &release)
	got := map[string]string{}
	for _, content := range release.NFPMs[0].Contents {
		if content.Src == "completions/_owoxhook" {
			got[content.Packager] = filepath.ToSlash(filepath.Dir(content.Dst))
		}
	}
	want := map[string]string{"deb": "/usr/share/zsh/vendor-completions", "rpm": "/usr/share/zsh/site-functions", "apk": "/usr/share/zsh/site-functions"}
	if !maps.Equal(got, want) {
		t.Errorf("packages have the completion for zsh in %v, want %v", got, want)
	}
}

// Homebrew takes no pattern for manual pages.
func TestHomebrewHasEveryManualPage(t *testing.T) {
	var want []string
	var add func(command *cobra.Command, name string)
	add = func(command *cobra.Command, name string) {
		if command.IsAdditionalHelpTopicCommand() {
			want = append(want, name+".7")
			return
		}
		want = append(want, name+".1")
		for _, c := range command.Commands() {
			add(c, name+"-"+c.Name())
		}
	}
	add(Root(), "man/owoxhook")
	slices.Sort(want)
	var release struct {
		HomebrewCasks []struct{ Manpages []string } `yaml:"homebrew_casks"`
	}
	readYAML(t, ".goreleaser.yaml", &release)
	if got := release.HomebrewCasks[0].Manpages; !slices.Equal(got, want) {
		t.Errorf("homebrew_casks in .goreleaser.yaml has the manual pages\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestImageIsBuiltAsReleasesAre(t *testing.T) {
	type build struct{ Env, Flags, Ldflags []string }
	var files [2]struct{ Builds []build }
	same := strings.NewReplacer(".Env.VERSION", ".Version", ".Git.ShortCommit", ".ShortCommit")
	readYAML(t, ".goreleaser.yaml", &files[0])
	readYAML(t, ".ko.yaml", &files[1])
	flags := func(b build) string {
		return same.Replace(strings.Join(slices.Concat(b.Env, b.Flags, b.Ldflags), "\n"))
	}
	if got, want := flags(files[1].Builds[0]), flags(files[0].Builds[0]); got != want {
		t.Errorf(".ko.yaml builds with\n%s\nwant, as .goreleaser.yaml,\n%s", got, want)
	}
}

// Every tool has one version, wherever it is installed.
func TestToolsHaveOneVersion(t *testing.T) {
	run, err := os.ReadFile("../.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	workflow, err := os.ReadFile("../.github/workflows/release.yml")
	if err != nil {
		t.Fatal(err)
	}
	for tool, version := range map[string]string{"goreleaser/v2@": "version: ", "google/ko@": "google/ko@", "cmd/crane@": "cmd/crane@"} {
		_, after, _ := strings.Cut(string(run), tool)
		want, _, _ := strings.Cut(after, "\n")
		if want == "" || !strings.Contains(string(workflow), version+want) {
			t.Errorf("release.yml does not install %s%s of .ci/run", tool, want)
		}
	}
}
