// Serves a folder by golang.org/x/net/webdav, the handler that Pydio Cells is built on: one user, below /dav.
package main

import (
	"log"
	"net/http"
	"os"

	"golang.org/x/net/webdav"
)

func main() {
	folder, address, user, password := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	handler := &webdav.Handler{Prefix: "/dav", FileSystem: webdav.Dir(folder), LockSystem: webdav.NewMemLS()}
	log.Fatal(http.ListenAndServe(address, http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		name, word, known := request.BasicAuth()
		if !known || name != user || word != password {
			answer.Header().Set("WWW-Authenticate", `Basic realm="dav"`)
			http.Error(answer, "who are you?", http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(answer, request)
	})))
}
