package systemd

import (
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Ready tells that we serve, or do again after Reloading, and by what.
func Ready(status string) error { return tell(daemon.SdNotifyReady, "STATUS="+status) }

// Reloading tells that a reload has begun; Ready is to follow.
func Reloading() error { return tell(daemon.SdNotifyReloading, daemon.SdNotifyMonotonicUsec()) }

// Stopping tells that we are about to end.
func Stopping() error { return tell(daemon.SdNotifyStopping) }

// Well tells the watchdog that we are well.
func Well() error { return tell(daemon.SdNotifyWatchdog) }

// Watchdog is how long systemd waits for Well before it restarts us; 0 if it does not.
func Watchdog() (time.Duration, error) { return daemon.SdWatchdogEnabled(false) }

func tell(states ...string) error {
	_, err := daemon.SdNotify(false, strings.Join(states, "\n"))
	return err
}
