package modbus

// Rest is a master that has written every level as 0 since port was opened.
func (s *Slave) Rest(port Port) {
	s.port = port
	s.image.noted, s.image.masked, s.image.beaten, s.image.counted = 1<<coilBits-1, true, true, true
}

// Reopen lets the next Serve be one of a port that was opened again.
func (s *Slave) Reopen() { s.port = nil }
