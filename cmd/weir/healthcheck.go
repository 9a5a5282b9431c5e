package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/cmd/weir/config"
	"weir/cmd/weir/doctor"
)

// healthTime bounds how long a listener may take to greet.
const healthTime = 10 * time.Second

func (a *app) healthcheckCommand() *cobra.Command {
	return &cobra.Command{
		Use: "healthcheck [ADDR]", Short: "Say whether a running weir serves its clients", Args: cobra.MaximumNArgs(1),
		Long: `Asks the weir that runs by the configuration, at its admin.addr, whether it can take mail and hand it on. Without that,
or with ADDR, it connects to each listener, or to ADDR, and wants to be greeted with 220. Exits 1 if the answer is no.`,
		RunE: func(c *cobra.Command, args []string) error {
			conf, err := a.config()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				conf.Listen = []config.Listen{{Name: args[0], Addr: args[0], TLS: config.TLSOff}}
			} else if conf.Admin.Addr != "" {
				return a.askReady(c.Context(), operatorAt(conf.Admin.Addr))
			}
			if len(conf.Listen) == 0 {
				return exit{exitUsage, errors.New("healthcheck: name the configuration with -c, or an ADDR")}
			}
			return a.healthcheck(c.Context(), conf)
		},
	}
}

func (a *app) askReady(ctx context.Context, admin operatorAt) error {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	status, answer, err := admin.ask(ctx, http.MethodGet, "/readyz")
	text := printable(shorten(strings.ReplaceAll(strings.TrimSpace(string(answer)), "\n", "; "), 1000))
	switch {
	case err != nil:
		return exit{exitNo, err}
	case status != http.StatusOK:
		return exit{exitNo, fmt.Errorf("not ready: %s", text)}
	}
	a.say("%s", text)
	return nil
}

func (a *app) healthcheck(ctx context.Context, c config.Config) error {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	var down []error
	for _, l := range c.Listen {
		if err := greets(ctx, l, c.Trusted.Proxies); err != nil {
			down = append(down, fmt.Errorf("%s: %w", l.Name, err))
		}
	}
	if len(down) > 0 {
		return exit{exitNo, errors.Join(down...)}
	}
	a.say("%s up", count(len(c.Listen), "listener"))
	return nil
}

// greets reports why a client of l is not greeted, nil if it is.
func greets(ctx context.Context, l config.Listen, proxies []netip.Prefix) error {
	_, err := doctor.Greeting(ctx, l, proxies)
	return err
}
