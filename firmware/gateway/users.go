package gateway

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"mien/firmware/operator"
	"mien/given"
)

// User is who may log in. Hash is of the password: Argon2id, as its authors write it.
type User struct {
	Name string        `json:"name"`
	Role operator.Role `json:"role"`
	Hash string        `json:"hash"`
	Made time.Time     `json:"made"`
}

// Users are in one file of the gateway's folder, which only the gateway and root can
// read. A running gateway sees a change at once.
type Users struct {
	path string

	mu   sync.Mutex // covers what is below
	seen os.FileInfo
	list []User
}

// NewUsers gives the users in a folder; none where there is no file yet.
func NewUsers(folder string) *Users { return &Users{path: filepath.Join(folder, "users.json")} }

const (
	maxUsers     = 1000
	maxUsersFile = 1 << 20
	leastLetters = 12 // of a password
	mostLetters  = 128
)

// List gives all users in the order of their names.
func (u *Users) List() ([]User, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	info, err := os.Stat(u.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		u.seen, u.list = nil, nil
		return nil, nil
	case err == nil:
		err = u.safe(info)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("users: %w", err)
	case u.seen != nil && os.SameFile(u.seen, info) && u.seen.ModTime().Equal(info.ModTime()) && u.seen.Size() == info.Size():
		return slices.Clone(u.list), nil
	}
	data, err := given.Read(u.path, maxUsersFile)
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	var list []User
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("users: %s is damaged: %w", u.path, err)
	}
	u.seen, u.list = info, list
	return slices.Clone(list), nil
}

// safe refuses a file that somebody else may have written, or can read: who writes it
// makes an administrator, and who reads it can guess at leisure.
func (u *Users) safe(info os.FileInfo) error {
	folder := filepath.Dir(u.path)
	above, err := os.Stat(folder)
	if err != nil {
		return err
	}
	self, of := uint32(os.Geteuid()), func(i os.FileInfo) uint32 { return i.Sys().(*syscall.Stat_t).Uid }
	if self == 0 { // root makes users for the gateway, whose folder it is
		self = of(above)
	}
	switch {
	case of(info) != self && of(info) != 0:
		return fmt.Errorf("%s belongs to user %d, who could let anybody in: look who is in it, then sudo chown %d %s", u.path, of(info), self, u.path)
	case of(above) != self && of(above) != 0:
		return fmt.Errorf("%s belongs to user %d, who could let anybody in: sudo chown %d %s", folder, of(above), self, folder)
	case above.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("others may write in %s (mode %04o), and could let anybody in: sudo chmod go-w %s", folder, above.Mode().Perm(), folder)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("others may write %s (mode %04o): look who is in it, then sudo chmod 600 %s", u.path, info.Mode().Perm(), u.path)
	case info.Mode().Perm()&0o044 != 0:
		return fmt.Errorf("others can read %s (mode %04o), and guess passwords from it: sudo chmod 600 %s", u.path, info.Mode().Perm(), u.path)
	}
	return nil
}

// Find gives a user by name.
func (u *Users) Find(name string) (User, bool, error) {
	list, err := u.List()
	i := slices.IndexFunc(list, func(x User) bool { return x.Name == name })
	if i < 0 {
		return User{}, false, err
	}
	return list[i], true, err
}

var userName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,31}$`)

// Add makes a user.
func (u *Users) Add(name string, role operator.Role, password string, now time.Time) error {
	if !userName.MatchString(name) {
		return fmt.Errorf("%q is no name: at most 32 small letters, digits, dots, dashes and underscores", name)
	}
	hash, err := hashed(name, password)
	if err != nil {
		return err
	}
	return u.change(func(list []User) ([]User, error) {
		switch {
		case slices.ContainsFunc(list, func(x User) bool { return x.Name == name }):
			return nil, fmt.Errorf("there is a user %s already: remove it, or give it another password", name)
		case len(list) >= maxUsers:
			return nil, fmt.Errorf("there are %d users, which is the most", len(list))
		}
		return append(list, User{name, role, hash, now.UTC().Truncate(time.Second)}), nil
	})
}

// SetPassword gives a user another password, and so ends the user's sessions. It gives
// the user as that is then.
func (u *Users) SetPassword(name, password string) (now User, err error) {
	hash, err := hashed(name, password)
	if err != nil {
		return now, err
	}
	err = u.change(func(list []User) ([]User, error) {
		i := slices.IndexFunc(list, func(x User) bool { return x.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no user %s", name)
		}
		list[i].Hash = hash
		now = list[i]
		return list, nil
	})
	return now, err
}

// Remove takes a user away, and so ends the user's sessions.
func (u *Users) Remove(name string) error {
	return u.change(func(list []User) ([]User, error) {
		rest := slices.DeleteFunc(slices.Clone(list), func(x User) bool { return x.Name == name })
		if len(rest) == len(list) {
			return nil, fmt.Errorf("there is no user %s", name)
		}
		return rest, nil
	})
}

// change writes the file anew; one change at a time, whichever process makes it.
func (u *Users) change(how func([]User) ([]User, error)) error {
	folder := filepath.Dir(u.path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("users: %w", err)
	}
	lock, err := os.Open(folder) // itself: a file that root made for it, the gateway could not open
	if err != nil {
		return fmt.Errorf("users: %w", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("users: lock %s: %w", lock.Name(), err)
	}
	list, err := u.List()
	if err != nil {
		return err
	}
	if list, err = how(list); err != nil {
		return err
	}
	if err := u.aside(); err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b User) int { return strings.Compare(a.Name, b.Name) })
	data, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return fmt.Errorf("users: %w", err)
	}
	return writeOwn(u.path, append(data, '\n'))
}

// aside keeps a copy of a file that has what this version does not know, as a newer one
// writes it: this one would leave it out.
func (u *Users) aside() error {
	data, err := given.Read(u.path, maxUsersFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("users: %w", err)
	}
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()
	if strict.Decode(new([]User)) == nil {
		return nil
	}
	if err := writeOwn(fmt.Sprintf("%s.aside-%d", u.path, time.Now().Unix()), data); err != nil {
		return fmt.Errorf("users: keep the newer version's: %w", err)
	}
	return nil
}

// writeOwn writes a file of the gateway's folder whole or not at all; root gives it to
// the folder's owner, who is to read it.
func writeOwn(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"-") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if info, err := os.Stat(filepath.Dir(path)); err == nil && os.Geteuid() == 0 {
		st := info.Sys().(*syscall.Stat_t)
		if err := f.Chown(int(st.Uid), int(st.Gid)); err != nil {
			f.Close()
			return err
		}
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// What a hash costs: OWASP's choice for Argon2id with the least memory but one. Two at
// once would be the half of what a gateway may have.
const (
	argonKiB    = 9216
	argonPasses = 4
	argonKey    = 32
)

var hashing sync.Mutex

func argon(password string, salt []byte) []byte {
	hashing.Lock()
	defer hashing.Unlock()
	defer debug.FreeOSMemory() // 9 MiB that nobody needs again for long
	return argon2.IDKey([]byte(password), salt, argonPasses, argonKiB, 1, argonKey)
}

// weakPassword says why a password is not taken.
type weakPassword string

func (e weakPassword) Error() string { return string(e) }

// hashed checks that a password is good enough, and gives its hash.
func hashed(name, password string) (string, error) {
	letters := map[rune]bool{}
	for _, r := range password {
		letters[r] = true
	}
	switch n := utf8.RuneCountInString(password); {
	case n < leastLetters:
		return "", weakPassword(fmt.Sprintf("the password has %d characters: it needs at least %d; a sentence is good", n, leastLetters))
	case n > mostLetters:
		return "", weakPassword(fmt.Sprintf("the password has %d characters: at most %d are possible", n, mostLetters))
	case len(letters) < 5:
		return "", weakPassword("the password has fewer than 5 different characters")
	case len(name) > 3 && strings.Contains(strings.ToLower(password), name):
		return "", weakPassword("the password has the user's name in it")
	}
	salt := make([]byte, 16)
	rand.Read(salt) // it never fails (crypto/rand)
	return hashPrefix + base64.RawStdEncoding.EncodeToString(salt) + "$" + base64.RawStdEncoding.EncodeToString(argon(password, salt)), nil
}

var hashPrefix = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$", argon2.Version, argonKiB, argonPasses)

// nobody has a password that no one knows: who asks for a name that is not there waits
// as long as for one that is.
var nobody = User{Hash: hashPrefix + "bm9ib2R5IGtub3dzIGl0$" + base64.RawStdEncoding.EncodeToString(make([]byte, argonKey))}

// matches tells whether the password is the user's.
func (x *User) matches(password string) bool {
	rest, known := strings.CutPrefix(x.Hash, hashPrefix)
	salt, sum, parts := strings.Cut(rest, "$")
	s, err := base64.RawStdEncoding.DecodeString(salt)
	want, err2 := base64.RawStdEncoding.DecodeString(sum)
	if !known || !parts || err != nil || err2 != nil || utf8.RuneCountInString(password) > mostLetters {
		return false
	}
	return subtle.ConstantTimeCompare(argon(password, s), want) == 1
}
