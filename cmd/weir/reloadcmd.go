package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"weir/proxy/console"
)

// reloadPatience bounds how long a running weir may take to reload; answerBytes what it may say of it.
const (
	reloadPatience = 5 * time.Minute
	answerBytes    = 4 << 20
)

func (a *app) reloadCommand() *cobra.Command {
	return &cobra.Command{
		Use: "reload", Short: "Make a running weir read its configuration, rules and certificates again", Args: cobra.NoArgs,
		Long: `Asks the weir that runs by the configuration to read all its files again, all or nothing, and waits for the end. Prints
what it found wrong and exits 78 if the old configuration stays in force. It is asked at admin.addr, on this machine;
without that, send it SIGHUP: it then says in its log what became of the reload.`,
		RunE: func(c *cobra.Command, _ []string) error {
			conf, err := a.config()
			if err != nil {
				return err
			}
			if conf.Admin.Addr == "" {
				return exit{exitUsage, errors.New("reload: no weir can be asked without its admin.addr\n" +
					"  put admin: { addr: 127.0.0.1:8825 } into weir.yaml of -c and restart, or send it SIGHUP: systemctl reload weir, or kill -HUP PID")}
			}
			return a.askReload(c.Context(), operatorAt(conf.Admin.Addr))
		},
	}
}

func (a *app) askReload(ctx context.Context, admin operatorAt) error {
	ctx, cancel := context.WithTimeout(ctx, reloadPatience)
	defer cancel()
	status, answer, err := admin.ask(ctx, http.MethodPost, "/reload")
	if err != nil {
		return err
	}
	var done console.Reloaded
	if json.Unmarshal(answer, &done) != nil || status != http.StatusOK && status != http.StatusUnprocessableEntity {
		return exit{exitUnavailable, fmt.Errorf("reload: what answers at %s is no weir: %d %s", admin.local(), status, printable(shorten(string(answer), 100)))}
	}
	for _, one := range done.Findings {
		fmt.Fprintf(a.err, "weir: %s\n", one)
	}
	if a.json {
		if err := a.printJSON(done); err != nil {
			return err
		}
	}
	switch {
	case !done.OK:
		return exit{exitConfig, errors.New("reload refused, the old configuration stays in force")}
	case !a.json:
		a.say("reloaded: generation %d", done.Generation)
	}
	return nil
}

// operatorAt is the address at which a running weir listens to its operator, as admin.addr says it.
type operatorAt string

// ask asks a running weir on this machine, and returns what it answers.
func (o operatorAt) ask(ctx context.Context, method, path string) (status int, answer []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+o.local()+path, nil)
	if err != nil {
		return 0, nil, exit{exitUsage, fmt.Errorf("admin.addr: %w", err)}
	}
	r.Header.Set(console.ReloadHeader, "1")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // and no proxy
	got, err := client.Do(r)
	if err != nil {
		return 0, nil, exit{exitUnavailable, fmt.Errorf("asking the running weir: %w", err)}
	}
	defer got.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(got.Body, answerBytes))
	if err != nil {
		return 0, nil, exit{exitUnavailable, fmt.Errorf("asking the running weir: %w", err)}
	}
	return got.StatusCode, answer, nil
}

// local is where the operator's listener is reached from this machine.
func (o operatorAt) local() string {
	host, port, _ := net.SplitHostPort(string(o))
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
