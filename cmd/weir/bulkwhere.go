package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"weir/cmd/weir/config"
	"weir/filters/bulk"
	"weir/filters/store"
	"weir/filters/store/redisstore"
	"weir/proxy/console"
)

// This file finds campaigns where they are remembered: in Redis if counts are shared there, else in a weir that runs and
// can be asked, else in its snapshot.

// errUnknownCampaign is what is said of one that has no messages.
const errUnknownCampaign = "campaign %s is not known"

// listed returns the last largest campaigns of at least least messages.
func listed(ctx context.Context, m *store.Memory, least int64, last int) ([]bulk.Campaign, error) {
	all, err := bulk.Campaigns(ctx, m, time.Now(), least)
	return all[:min(len(all), last)], err
}

// windowsOf returns a campaign in all windows. It has no messages in the last if it is not known.
func windowsOf(ctx context.Context, m *store.Memory, name string) ([]shownWindow, error) {
	var all []shownWindow
	for _, over := range shownWindows {
		c, err := bulk.Within(ctx, m, time.Now(), over, name)
		if err != nil {
			return nil, exit{exitUsage, err}
		}
		all = append(all, shownWindow{config.DurationText(over), c})
	}
	return all, nil
}

// campaigns lists campaigns, from the snapshot named if there is one.
func (a *app) campaigns(ctx context.Context, snapshot string, least int64, last int) ([]bulk.Campaign, error) {
	var found []bulk.Campaign
	if snapshot == "" {
		c, err := a.config()
		if err != nil {
			return nil, err
		}
		if len(c.Store.Redis.Addrs) > 0 {
			return sharedCampaigns(ctx, c.Store, least, last)
		}
		if asked, err := operatorAt(c.Admin.Addr).campaigns(ctx, http.MethodGet, fmt.Sprintf("/bulk?alike=%d&n=%d", least, last), &found); asked {
			return found, err
		}
	}
	m, _, err := a.remembered(snapshot)
	if err != nil {
		return nil, err
	}
	return listed(ctx, m, least, last)
}

// campaign shows one campaign in all windows.
func (a *app) campaign(ctx context.Context, snapshot, name string) ([]shownWindow, error) {
	var found []shownWindow
	if snapshot == "" {
		c, err := a.config()
		if err != nil {
			return nil, err
		}
		if len(c.Store.Redis.Addrs) > 0 {
			b, _, err := sharedCampaign(ctx, c.Store, name)
			if err != nil {
				return nil, err
			}
			defer b.Close()
			return windowsOf(ctx, b.Memory(), name)
		}
		if asked, err := operatorAt(c.Admin.Addr).campaigns(ctx, http.MethodGet, "/bulk/"+name, &found); asked {
			return found, err
		}
	}
	m, _, err := a.remembered(snapshot)
	if err != nil {
		return nil, err
	}
	return windowsOf(ctx, m, name)
}

// sharedCampaigns lists what is in Redis: first the one counter that says how large a campaign is, then all of the largest.
func sharedCampaigns(ctx context.Context, c config.Store, least int64, last int) ([]bulk.Campaign, error) {
	b, err := browse(ctx, c)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	names, err := b.Names(ctx, bulk.Prefix)
	if err == nil {
		err = b.Read(ctx, time.Now(), slices.DeleteFunc(names, func(name string) bool { return !bulk.IsFirst(name) })...)
	}
	if err != nil {
		return nil, exit{exitUnavailable, fmt.Errorf("store.redis: %w", err)}
	}
	all, err := listed(ctx, b.Memory(), least, last)
	if err != nil {
		return nil, err
	}
	for i := range all {
		owner, err := bulk.Owner(all[i].ID)
		if err == nil {
			err = b.Read(ctx, time.Now(), bulk.Counters(owner)...)
		}
		if err != nil {
			return nil, exit{exitUnavailable, fmt.Errorf("store.redis: %w", err)}
		}
		if all[i], err = bulk.Within(ctx, b.Memory(), time.Now(), 0, all[i].ID); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// sharedCampaign reads a campaign from Redis, that which it has become if it was merged. Close must be called.
func sharedCampaign(ctx context.Context, c config.Store, name string) (b *redisstore.Browser, owner uint32, err error) {
	if owner, err = bulk.Owner(name); err != nil {
		return nil, 0, exit{exitUsage, err}
	}
	if b, err = browse(ctx, c); err != nil {
		return nil, 0, err
	}
	if owner, err = b.Follow(ctx, time.Now(), owner); err == nil {
		err = b.Read(ctx, time.Now(), bulk.Counters(owner)...)
	}
	if err != nil {
		b.Close()
		return nil, 0, exit{exitUnavailable, fmt.Errorf("store.redis: %w", err)}
	}
	return b, owner, nil
}

// forgetShared takes a campaign out of Redis; the proxies that share it hear of it and forget it as well. It returns how
// many messages it had.
func forgetShared(ctx context.Context, c config.Store, name string) (int64, error) {
	b, owner, err := sharedCampaign(ctx, c, name)
	if err != nil {
		return 0, err
	}
	defer b.Close()
	was, err := bulk.Within(ctx, b.Memory(), time.Now(), 0, name)
	if err != nil {
		return 0, err
	}
	if was.Alike == 0 {
		return 0, exit{exitNoInput, fmt.Errorf(errUnknownCampaign, name)}
	}
	all, err := b.Names(ctx, bulk.Folder(owner)) // those of users among them
	if err == nil {
		err = b.Read(ctx, time.Now(), all...)
	}
	if err == nil {
		err = bulk.Forget(ctx, b, time.Now(), name)
	}
	if err == nil {
		err = b.Tell()
	}
	if err != nil {
		return 0, exit{exitUnavailable, fmt.Errorf("store.redis: %w", err)}
	}
	return was.Alike, nil
}

// campaigns asks a running weir, and reads its answer into what. It reports false if none runs that can be asked.
func (o operatorAt) campaigns(ctx context.Context, method, path string, what any) (asked bool, err error) {
	if o == "" {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	status, answer, err := o.ask(ctx, method, path)
	if err != nil {
		return false, nil // it does not run
	}
	switch {
	case status == http.StatusNotFound && json.Valid(answer):
		return true, exit{exitNoInput, errors.New("the running weir does not know this campaign")}
	case status == http.StatusBadRequest:
		return true, exit{exitUsage, errors.New(printable(shorten(string(answer), 200)))}
	case status != http.StatusOK || json.Unmarshal(answer, what) != nil:
		return true, exit{exitUnavailable, fmt.Errorf("what answers at %s cannot be asked for campaigns: %d %s", o.local(), status, printable(shorten(string(answer), 100)))}
	}
	return true, nil
}

// askPatience bounds how long a running weir may take to answer.
const askPatience = 30 * time.Second

// campaigns is what operators may ask a running weir of campaigns, whose memory is its own.
func (w *watched) campaigns() *console.Bulk {
	m, own := w.memory.(*store.Memory)
	if !own {
		return nil // Redis is asked, which knows of all
	}
	return &console.Bulk{
		List: func(ctx context.Context, least int64, last int) (any, error) { return listed(ctx, m, least, last) },
		Show: func(ctx context.Context, name string) (any, bool, error) {
			all, err := windowsOf(ctx, m, name)
			return all, err == nil && all[len(all)-1].Alike > 0, err
		},
		Forget: func(ctx context.Context, name string) (any, bool, error) {
			was, err := bulk.Within(ctx, m, time.Now(), 0, name)
			if err == nil && was.Alike > 0 {
				err = bulk.Forget(ctx, m, time.Now(), name)
			}
			return was, was.Alike > 0, err
		},
	}
}
