// Command libraries prints one line, as one does, and uses nothing of the
// libraries that owoxhook is made of: what their start-up alone costs.
package main

import (
	"fmt"
	_ "html/template"
	_ "net/http"
	"os"

	"github.com/spf13/cobra"

	_ "github.com/HdrHistogram/hdrhistogram-go"
	_ "github.com/adrg/xdg"
	_ "github.com/agnivade/levenshtein"
	_ "github.com/coreos/go-systemd/v22/activation"
	_ "github.com/dustin/go-humanize"
	_ "github.com/fatih/color"
	_ "github.com/go-json-experiment/json"
	_ "github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/jstemmer/go-junit-report/v2/junit"
	_ "github.com/pressly/goose/v3"
	_ "github.com/schollz/progressbar/v3"
	_ "github.com/spf13/viper"
	_ "github.com/tidwall/sjson"
	_ "modernc.org/sqlite"
)

func main() {
	command := &cobra.Command{Use: "libraries", Run: func(*cobra.Command, []string) { fmt.Println("libraries") }}
	if command.Execute() != nil {
		os.Exit(1)
	}
}
