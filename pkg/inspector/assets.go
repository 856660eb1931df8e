package inspector

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// htmx and its extension are files of the npm package htmx.org; see
// assets/htmx-LICENSE. Their names have the version.
//
//go:embed assets
var assets embed.FS

// asset is a file with what is said of it.
type asset struct {
	kind, etag string
	text       []byte
}

func loadAssets() map[string]asset {
	files := map[string]asset{}
	entries, _ := assets.ReadDir("assets") // embedded
	for _, entry := range entries {
		text, _ := assets.ReadFile("assets/" + entry.Name())
		sum := sha256.Sum256(text)
		kind := mime.TypeByExtension(path.Ext(entry.Name()))
		switch path.Ext(entry.Name()) { // systems differ
		case ".js":
			kind = "text/javascript; charset=utf-8"
		case ".css":
			kind = "text/css; charset=utf-8"
		case "":
			kind = "text/plain; charset=utf-8"
		}
		files[entry.Name()] = asset{kind, strconv.Quote(hex.EncodeToString(sum[:8])), text}
	}
	return files
}

func (i *Inspector) asset(w http.ResponseWriter, r *http.Request) {
	file, ok := i.files()[r.PathValue("name")]
	if !ok {
		i.fail(w, r, http.StatusNotFound, "There is no such file.")
		return
	}
	header := w.Header()
	header.Set("ETag", file.etag)
	header.Set("Cache-Control", "no-cache") // ask, and be told that it is the same
	if r.Header.Get("If-None-Match") == file.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Type", file.kind)
	compressed(w, r, http.StatusOK, file.text)
}

// compressed writes a body, compressed for those who take that.
func compressed(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	w.Header().Add("Vary", "Accept-Encoding")
	if len(body) > 1<<10 && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		var out bytes.Buffer
		zip := gzip.NewWriter(&out)
		_, _ = zip.Write(body) // into memory
		_ = zip.Close()
		w.Header().Set("Content-Encoding", "gzip")
		body = out.Bytes()
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a reader that is gone needs none
	}
}
