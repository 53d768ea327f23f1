// The official Go client's BulkIndexer over a file of documents, as its README has it: bulkindexer URL FILE.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/elastic/go-elasticsearch/v9"
	"github.com/elastic/go-elasticsearch/v9/esutil"
)

func main() {
	client, err := elasticsearch.NewClient(elasticsearch.Config{Addresses: []string{os.Args[1]}})
	if err != nil {
		log.Fatal(err)
	}
	indexer, err := esutil.NewBulkIndexer(esutil.BulkIndexerConfig{Client: client, NumWorkers: 2})
	if err != nil {
		log.Fatal(err)
	}
	file, err := os.Open(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewReaderSize(file, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) == 0 && err != nil {
			break
		}
		var document struct {
			ID        string `json:"id"`
			Timestamp string `json:"@timestamp"`
		}
		if err := json.Unmarshal(line, &document); err != nil {
			log.Fatal(err)
		}
		err = indexer.Add(context.Background(), esutil.BulkIndexerItem{
			Action:     "create",
			Index:      "tweets-" + strings.SplitN(document.Timestamp, "-", 2)[0],
			DocumentID: document.ID,
			Body:       bytes.NewReader(line),
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	if err := indexer.Close(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(indexer.Stats().NumFlushed)
}
