package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/rules/strict"
)

// codeSetting marks values of weir.yaml that are well-formed but make no sense.
const codeSetting = "C001"

// Error is what is wrong with weir.yaml, or with a file that it names: whoever wrote it is to mend it.
type Error struct{ Err error }

func (e Error) Error() string { return e.Err.Error() }

func (e Error) Unwrap() error { return e.Err }

// findings says what is wrong with values that are well-formed, each at its place.
func (c Config) findings() strict.Findings {
	f := finder{doc: c.doc}
	f.want(c.Version == 1, "version", "this weir reads version 1")
	f.want(IsHostname(c.Hostname), "hostname", "%q is not a host name", c.Hostname)
	c.Conduct.findings(&f)
	c.findInListeners(&f)
	for i, p := range c.Trusted.Relays {
		f.want(p.Bits() > 0, fmt.Sprintf("trusted.relays[%d]", i), "everybody would be believed: name the networks of your own servers")
	}
	c.findBehind(&f)
	c.findInAdmin(&f)
	c.Privacy.findings(&f)
	c.findInBodies(&f)
	for i, addr := range c.DNS.Servers {
		_, err := netip.ParseAddrPort(addr)
		f.want(err == nil, fmt.Sprintf("dns.servers[%d]", i), "%q is not ADDRESS:PORT", addr)
	}
	for key, d := range map[string]time.Duration{
		"limits.command_timeout": c.Limits.CommandTimeout, "dns.timeout": c.DNS.Timeout,
		"dns.budget": c.DNS.Budget, "scan_budget": c.ScanBudget, "verdicts.keep": c.Verdicts.Keep,
	} {
		f.want(d > 0, key, "must be more than nothing")
	}
	for key, n := range map[string]int{
		"limits.recipients": c.Limits.Recipients, "limits.sessions": c.Limits.Sessions,
		"limits.sessions_per_ip": c.Limits.SessionsPerIP, "dns.cache": c.DNS.Cache, "limits.sessions_per_net": c.Limits.SessionsPerNet,
		"limits.data_min_rate": int(c.Limits.MinRate), "limits.scan_memory": int(c.Limits.ScanMemory),
		"limits.message_size": int(c.Limits.MessageSize), "store.memory.max": int(c.Store.Memory.Max), "verdicts.max_size": int(c.Verdicts.MaxSize),
	} {
		f.want(n > 0, key, "must be more than 0")
	}
	c.Limits.findings(&f)
	c.Store.Redis.findings(&f)
	f.want(c.DNS.Timeout <= c.DNS.Budget, "dns.timeout", "is never reached: dns.budget is %s", DurationText(c.DNS.Budget))
	f.want(c.DNS.Budget <= c.ScanBudget, "dns.budget", "is never reached: scan_budget is %s", DurationText(c.ScanBudget))
	f.want(c.ShadowRules == "" || c.ShadowRules != c.Rules, "shadow_rules", "are the rules themselves: copy the file, edit the copy and name that")
	_, known := logLevels[c.Log.Level]
	f.want(known, "log.level", "want debug, info, warn or error")
	f.want(slices.Contains([]string{"text", "json"}, c.Log.Format), "log.format", "want text or json")
	return f.found
}

func (c Config) findInListeners(f *finder) {
	f.want((c.TLS.Cert == "") == (c.TLS.Key == ""), "tls", "cert and key belong together")
	names, addrs := map[string]bool{}, map[string]bool{}
	for i, l := range c.Listen {
		key := fmt.Sprintf("listen[%d]", i)
		f.want(IsAddress(l.Addr), key+".addr", "%q is not ADDRESS:PORT", l.Addr)
		_, known := tlsModes[l.TLS]
		f.want(known, key+".tls", "want off, starttls or implicit")
		f.want(l.Role == RoleInbound || l.Role == RoleOutbound, key+".role", "want inbound or outbound")
		f.want(l.Role != RoleOutbound || l.TLS != TLSOff, key+".tls", "an outbound listener needs starttls or implicit: passwords go through it")
		f.want(l.TLS == TLSOff || !known || c.TLS.Cert != "", key+".tls", "needs a certificate: tls: { cert: FILE, key: FILE }")
		f.want(!names[l.Name], key+".name", "two listeners are called %s", l.Name)
		f.want(!l.ProxyProtocol || len(c.Trusted.Proxies) > 0, key+".proxy_protocol", "nobody is trusted: trusted: { proxies: [NETWORK] }")
		f.want(!addrs[l.Addr], key+".addr", "two listeners are at %s", l.Addr)
		names[l.Name] = true
		addrs[l.Addr] = IsAddress(l.Addr) && !strings.HasSuffix(l.Addr, ":0") // any port is not one port
	}
}

// finder collects findings at keys of a document.
type finder struct {
	doc   *strict.Document
	found strict.Findings
}

// want adds a finding at key, or at the nearest group that is there, unless ok. Of very many it keeps some.
func (f *finder) want(ok bool, key, format string, args ...any) {
	if ok || len(f.found) > strict.MaxFindings {
		return
	}
	text := fmt.Sprintf(key+": "+format, args...)
	for {
		if v, said := f.doc.At(key); said {
			f.found = f.found.With(v.Finding(codeSetting, "%s", text))
			return
		}
		cut := strings.LastIndexAny(key, ".[")
		key = key[:max(cut, 0)]
	}
}

// says reports whether the document has the key.
func (f *finder) says(key string) bool {
	_, ok := f.doc.At(key)
	return ok
}

// Runnable reports what a proxy needs of the file that c was read from, and what is not there. Without a file it is nil.
func (c Config) Runnable() error {
	if c.doc == nil {
		return nil
	}
	f := finder{doc: c.doc}
	f.want(len(c.Listen) > 0, "listen", "there is no listener")
	f.want(len(c.Backend.AllAddrs()) > 0 || c.HasOthers(), "backend.addrs", "there is no backend")
	_, err := c.TLS.Certificate()
	f.want(err == nil, "tls.cert", "%v", err)
	c.missing(&f)
	if err := f.found.Err(); err != nil {
		return Error{err}
	}
	return nil
}

// IsAddress reports whether s says where to listen: ADDRESS:PORT, of which ADDRESS may be missing.
func IsAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	n, bad := strconv.ParseUint(port, 10, 16)
	return err == nil && bad == nil && n <= 65535
}

// IsTarget reports whether s says where to connect to: HOST:PORT.
func IsTarget(s string) bool {
	host, port, _ := net.SplitHostPort(s)
	return IsAddress(s) && host != "" && strings.Trim(port, "0") != ""
}

// IsHostname reports whether s can stand in a banner and in trace headers (RFC 5321 section 4.1.2, Domain).
func IsHostname(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for _, label := range strings.Split(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}
