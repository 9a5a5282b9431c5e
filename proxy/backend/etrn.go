package backend

import "fmt"

// Start asks the server to start the queue of a node (RFC 1985) and returns what it says.
func (c *Conn) Start(node string) (Reply, error) {
	reply, err := c.ask("ETRN "+node+"\r\n", false)
	if err != nil {
		return Reply{}, fmt.Errorf("ETRN: %w", err)
	}
	return reply, nil
}
