package affect

import "mien/model/assets"

// Embedded gives the network in the binary and its card.
func Embedded() (*Card, []byte, error) {
	card, err := ParseCard(assets.CardName, assets.Card())
	return card, assets.Network(), err
}
