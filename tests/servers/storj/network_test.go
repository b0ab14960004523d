// A Storj network for tests: a satellite and five storage nodes, run as a test of testplanet until standard input ends.
// It prints what a client needs as one JSON line, and takes orders, one a line: stop-node N,
// revoke GRANT, limit BYTES.
package network

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"storj.io/common/memory"
	"storj.io/common/testcontext"
	"storj.io/storj/private/testplanet"
	"storj.io/uplink"
)

func TestNetwork(t *testing.T) {
	testplanet.Run(t, testplanet.Config{
		SatelliteCount: 1, StorageNodeCount: 5, UplinkCount: 1, Timeout: -1, NonParallel: true,
		Reconfigure: testplanet.DisablePeerCAWhitelist,
	}, func(t *testing.T, ctx *testcontext.Context, planet *testplanet.Planet) {
		peer, client := planet.Satellites[0], planet.Uplinks[0]
		grant, err := client.Access[peer.ID()].Serialize()
		if err != nil {
			t.Fatal(err)
		}
		tell := func(answer map[string]string) {
			line, _ := json.Marshal(answer)
			fmt.Printf("storj %s\n", line)
		}
		tell(map[string]string{
			"satellite":    peer.URL(),
			"api_key":      client.APIKey[peer.ID()].Serialize(),
			"access_grant": grant,
		})
		orders := bufio.NewScanner(os.Stdin)
		orders.Buffer(make([]byte, 1<<20), 1<<20)
		for orders.Scan() {
			order, argument, _ := strings.Cut(strings.TrimSpace(orders.Text()), " ")
			if err := obey(ctx, planet, order, argument); err != nil {
				tell(map[string]string{"error": err.Error()})
			} else {
				tell(map[string]string{"done": order})
			}
		}
	})
}

func obey(ctx *testcontext.Context, planet *testplanet.Planet, order, argument string) error {
	peer, client := planet.Satellites[0], planet.Uplinks[0]
	switch order {
	case "stop-node":
		number, err := strconv.Atoi(argument)
		if err != nil {
			return err
		}
		return planet.StopNodeAndUpdate(ctx, planet.StorageNodes[number])
	case "revoke":
		access, err := uplink.ParseAccess(argument)
		if err != nil {
			return err
		}
		project, err := client.OpenProject(ctx, peer)
		if err != nil {
			return err
		}
		defer ctx.Check(project.Close)
		return project.RevokeAccess(ctx, access)
	case "limit":
		bytes, err := strconv.ParseInt(argument, 10, 64)
		if err != nil {
			return err
		}
		project := client.Projects[0].ID
		return peer.DB.ProjectAccounting().UpdateProjectUsageLimit(ctx, project, memory.Size(bytes))
	}
	return fmt.Errorf("unknown order %q", order)
}
